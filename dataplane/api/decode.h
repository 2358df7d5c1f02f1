// From the schema's messages to the model: reads and checks everything that can be known without the state. What refers
// to something else (a server's backend, a route's) and what needs the state (slot, uid, bound addresses) is the
// store's part.
//
// Output-only fields and unknown fields of the messages are ignored. Pure; any thread.
#pragma once

#include <optional>

#include "api/failure.h"
#include "config/model.h"
#include "fairlead/v1/resources.pb.h"

namespace fairlead::api {

struct ServerDraft {
  std::string backend;
  base::Ref<config::Server> record;
};

Decoded<ServerDraft> decode_server(const v1::Server& server);
// Without the shorthand `servers`, which are operations of their own.
Decoded<base::Ref<config::Backend>> decode_backend(const v1::Backend& backend);
Decoded<base::Ref<config::Listener>> decode_listener(const v1::Listener& listener);
// Of an operation on the resource named `title`; fields are "drain.timeout" and "drain.jitter".
Decoded<config::DrainPolicy> decode_drain(const v1::Drain& drain, const std::string& title);

}  // namespace fairlead::api
