// From the store's views to the schema's messages, with status.
#pragma once

#include <cstdint>

#include "fairlead/v1/management.pb.h"
#include "fairlead/v1/observation.pb.h"
#include "management/context.h"
#include "observe/statistics.h"
#include "store/election.h"
#include "store/events.h"
#include "store/views.h"

namespace fairlead::management {

void encode(const store::ServerView& view, v1::Server& out);
void encode(const store::BackendView& view, v1::Backend& out);
void encode(const store::ListenerView& view, v1::Listener& out);
void encode(const store::CertificateView& view, v1::Certificate& out);
void encode(const store::Event& event, v1::WatchEventsResponse& out);
void encode(const store::ServerStep& step, v1::ServerEvent& out);
void encode(const store::ElectionId& id, v1::ElectionId& out);
store::ElectionId decode(const v1::ElectionId& id);
// For GetInfo.
void encode_journal(const store::Store& store, v1::Journal& out);
v1::Limits limits_of(const Context& context);
// What it takes of its session's window, in operations: as many as it has, or as it has KiB where these are more.
uint64_t share_of_window(const v1::Transaction& transaction);

// Of a call: with what its request's `fence` says.
store::Fence decode_fence(const v1::Fence& fence);

// Whom to ask how much a resource has in flight, and where the answer belongs.
observe::Carrier carrier_of(const store::ServerView& view);
observe::Carrier carrier_of(const store::BackendView& view);
observe::Carrier carrier_of(const store::ListenerView& view);
void set_traffic(v1::Server& server, const observe::Traffic& traffic);
void set_traffic(v1::Backend& backend, const observe::Traffic& traffic);
void set_traffic(v1::Listener& listener, const observe::Traffic& traffic);

}  // namespace fairlead::management
