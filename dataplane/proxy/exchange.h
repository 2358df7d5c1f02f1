// One request and its response.
#pragma once

#include "proxy/client.h"
#include "runtime/task.h"

namespace fairlead::proxy {

// What becomes of the client's connection.
enum class After : uint8_t {
  kNextRequest,
  // The last response said so, or the connection is broken: nothing more is expected of the client.
  kClose,
  // The client may still be sending.
  kCloseLingering,
};

// Serves the request whose head was parsed into context.request, and whose head's bytes stand at the beginning of
// client.in(). Answers it in every case in which an answer can be given.
runtime::Task<After> exchange(Client& client, size_t head_size);

}  // namespace fairlead::proxy
