// How many connections each client address has open, over all workers: only those that asked for a place. Any thread.
#pragma once

#include <array>
#include <cstdint>
#include <mutex>

#include "absl/container/flat_hash_map.h"
#include "absl/hash/hash.h"

namespace fairlead::proxy {

class ClientCounts {
 public:
  // False where the address has as many as `limit`. Who was let in leaves.
  bool enter(uint64_t address, uint32_t limit) {
    Part& part = part_of(address);
    std::lock_guard lock(part.mutex);
    uint32_t& count = part.counts[address];
    if (count >= limit) return false;
    ++count;
    return true;
  }
  void leave(uint64_t address) {
    Part& part = part_of(address);
    std::lock_guard lock(part.mutex);
    auto found = part.counts.find(address);
    if (--found->second == 0) part.counts.erase(found);
  }

 private:
  struct Part {
    std::mutex mutex;
    absl::flat_hash_map<uint64_t, uint32_t> counts;  // guarded by mutex; none is 0, but for a moment
  };
  // (Seeded for each process: nobody can choose addresses that meet in one part.)
  Part& part_of(uint64_t address) { return parts_[absl::HashOf(address, 0x5eed) % parts_.size()]; }

  std::array<Part, 64> parts_;
};

}  // namespace fairlead::proxy
