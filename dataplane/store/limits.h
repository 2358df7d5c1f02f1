// How much one data plane takes, as told in GetInfo and in a session's `opened`.
#pragma once

#include <cstdint>

namespace fairlead::store {

struct Limits {
  uint32_t operations_per_transaction = 10'000;
  // Members and those that still drain.
  uint64_t servers = 2'000'000;
  uint32_t backends = 100'000;
  uint32_t listeners = 1'000;
  uint32_t certificates = 10'000;
  // Transactions and readings that wait for the writer.
  uint32_t waiting_requests = 65'536;
};

}  // namespace fairlead::store
