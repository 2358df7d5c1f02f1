// From the store's views to the schema's messages, with status; and what a running data plane knows of their traffic.
#pragma once

#include <optional>

#include "fairlead/v1/management.pb.h"
#include "fairlead/v1/observation.pb.h"
#include "management/context.h"
#include "observe/statistics.h"
#include "store/events.h"
#include "store/views.h"

namespace fairlead::management {

void encode(const store::ServerView& view, v1::Server& out);
void encode(const store::BackendView& view, v1::Backend& out);
void encode(const store::ListenerView& view, v1::Listener& out);
void encode(const store::Event& event, v1::WatchEventsResponse& out);
void encode(const store::ServerStep& step, v1::ServerEvent& out);
v1::Limits limits_of(const Context& context);

// Fills the gauges of `status`.
class Traffic {
 public:
  explicit Traffic(const observe::Statistics& statistics);
  void fill(v1::Server& server) const;
  void fill(v1::Backend& backend) const;
  void fill(v1::Listener& listener) const;

 private:
  absl::flat_hash_map<config::Uid, uint64_t> in_flight_;
  absl::flat_hash_map<config::Uid, uint64_t> backends_;
  absl::flat_hash_map<config::Uid, uint64_t> connections_;
};

}  // namespace fairlead::management
