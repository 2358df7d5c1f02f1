#include "server/limits.h"

namespace fairlead::server {

ProcessLimits decode_limits(api::FieldChecker& checker, const v1::ProcessLimits& message) {
  constexpr config::Range kCount{0, 100'000'000};
  constexpr config::Range kMebibytes{0, 1 << 20};
  ProcessLimits limits;
  limits.max_connections =
      checker.number("limits.max_connections", message.has_max_connections(), message.max_connections(), kCount)
          .value_or(0);
  uint64_t mebibytes =
      checker.number("limits.max_memory_mib", message.has_max_memory_mib(), message.max_memory_mib(), kMebibytes)
          .value_or(0);
  limits.max_memory_bytes = mebibytes << 20;
  limits.max_descriptors =
      checker.number("limits.max_descriptors", message.has_max_descriptors(), message.max_descriptors(), kCount)
          .value_or(0);
  return limits;
}

}  // namespace fairlead::server
