// In which header a server is told who sent a request.
#pragma once

#include <cstdint>

namespace fairlead::http {

// kXForwarded: X-Forwarded-For and X-Forwarded-Proto. kForwarded: Forwarded (RFC 7239). kBoth: all three.
enum class ForwardedFormat : uint8_t { kXForwarded, kForwarded, kBoth };

}  // namespace fairlead::http
