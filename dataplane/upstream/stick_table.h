// Which server each key had last, for one backend and all workers: persistence.table.
//
// In parts with a mutex each, chosen by a hash that nobody outside can foretell; a key's part is held for the time of a
// look-up. What was not used for longest goes first where a part is full, and what has expired whenever something is
// added. Takes memory for what it has held at most. Any thread.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "config/model.h"
#include "runtime/time.h"

namespace fairlead::upstream {

class StickTable {
 public:
  // A server by its handle: it may be gone by now.
  struct Target {
    config::Slot slot = 0;
    config::Uid uid = 0;
    bool operator==(const Target&) const = default;
  };
  static constexpr size_t kParts = 16;

  enum class Looking : bool { kOnlyLooks, kUses };
  // kUses: the key is remembered anew from `now`.
  std::optional<Target> find(uint64_t key, runtime::TimePoint now, const config::StickTableSettings& settings,
                             Looking looking = Looking::kUses);
  void put(uint64_t key, Target target, runtime::TimePoint now, const config::StickTableSettings& settings);
  // With what has expired and was not cleared away yet.
  size_t size() const;

 private:
  static constexpr uint32_t kNone = UINT32_MAX;

  struct Entry {
    uint64_t key;
    Target target;
    runtime::TimePoint used;
    // In the order of use; of a free entry `next` is the next free one.
    uint32_t previous;
    uint32_t next;
  };

  class alignas(64) Part {
   public:
    std::optional<Target> find(uint64_t key, runtime::TimePoint now, runtime::Duration expire, Looking looking);
    void put(uint64_t key, Target target, runtime::TimePoint now, runtime::Duration expire, size_t limit);
    size_t size() const;

   private:
    uint32_t take_entry();
    void use(uint32_t index, runtime::TimePoint now);
    void link_first(uint32_t index);
    void unlink(uint32_t index);
    void remove(uint32_t index);

    mutable std::mutex mutex_;
    // All guarded by mutex_.
    absl::flat_hash_map<uint64_t, uint32_t> by_key_;
    std::vector<Entry> entries_;
    uint32_t first_ = kNone;
    uint32_t last_ = kNone;
    uint32_t free_ = kNone;
  };

  Part& part_of(uint64_t key);

  std::array<Part, kParts> parts_;
};

}  // namespace fairlead::upstream
