// What the process as a whole may have, from the configuration file.
#pragma once

#include <cstdint>

#include "api/field_checker.h"
#include "fairlead/v1/resources.pb.h"

namespace fairlead::server {

// 0: no limit.
struct ProcessLimits {
  uint32_t max_connections = 0;
  uint64_t max_memory_bytes = 0;
  uint32_t max_descriptors = 0;
};

// Fields are named "limits.max_connections". What is wrong is the checker's to tell.
ProcessLimits decode_limits(api::FieldChecker& checker, const v1::ProcessLimits& message);

}  // namespace fairlead::server
