// From many operations to transactions. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "ctl/resource_set.h"
#include "fairlead/v1/management.pb.h"

namespace fairlead::ctl {

// Of one transaction.
struct BatchLimits {
  std::size_t operations = 10'000;
  std::size_t bytes = 4u << 20;
};

struct Batch {
  v1::Transaction transaction;
  // Each operation's place in the file; empty for a delete.
  std::vector<std::string> origins;
};

// As few transactions as the limits allow, at least one, in the operations' order. What belongs to one `step` stays
// together where it fits into a transaction.
std::vector<Batch> split(std::vector<PlannedOperation> operations, const BatchLimits& limits);

}  // namespace fairlead::ctl
