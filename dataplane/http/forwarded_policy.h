// What a server is told of who sent a request: X-Forwarded-For, X-Forwarded-Proto and Forwarded.
#pragma once

#include <cstdint>

namespace fairlead::http {

enum class ForwardedPolicy : uint8_t {
  kAppend,   // The client's address behind those that came in X-Forwarded-For; X-Forwarded-Proto is replaced.
  kReplace,  // What came is removed, with Forwarded, then ours is set.
  kKeep,     // As it came, nothing added.
  kRemove,   // What came is removed, nothing added.
};

}  // namespace fairlead::http
