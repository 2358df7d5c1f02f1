// Memory for objects of one size by the million, which end in any order: records of servers, nodes of snapshots.
//
// Objects stand close together in chunks of 2 MiB, and a slab with more than one chunk has the others on huge pages:
// who picks a server looks at a node and a record somewhere among hundreds of megabytes, where the walk through page
// tables costs as much as the look. A chunk goes back to the system with its last object.
//
// Any thread may allocate, and release what another has allocated.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>

namespace fairlead::base {

class Slab {
 public:
  constexpr explicit Slab(size_t object_size) : object_size_((object_size + 7) / 8 * 8) {}
  Slab(const Slab&) = delete;
  Slab& operator=(const Slab&) = delete;

  // For an object of this size, or smaller. Throws std::bad_alloc where the system has no more.
  void* allocate();
  void release(void* object) noexcept;

  // Chunks that the slab has now.
  size_t chunks();

 private:
  struct Chunk;

  Chunk& chunk_with_room();
  void give_back(Chunk& chunk) noexcept;
  void insert(Chunk& chunk) noexcept;
  void take_out(Chunk& chunk) noexcept;

  const size_t object_size_;
  std::mutex mutex_;
  // Those with room, in no order.
  Chunk* first_ = nullptr;
  size_t chunks_ = 0;
};

// One for each size, for the whole process.
template <size_t kSize>
inline constinit Slab slab_for{kSize};

#if defined(FAIRLEAD_SANITIZED)
// A sanitizer knows the usual allocator.
inline constexpr bool kUseSlabs = false;
#else
inline constexpr bool kUseSlabs = true;
#endif

template <typename T>
void* slab_allocate() {
  if constexpr (kUseSlabs) return slab_for<(sizeof(T) + 7) / 8 * 8>.allocate();
  return ::operator new(sizeof(T));
}

template <typename T>
void slab_release(void* object) noexcept {
  if constexpr (kUseSlabs) return slab_for<(sizeof(T) + 7) / 8 * 8>.release(object);
  ::operator delete(object, sizeof(T));
}

}  // namespace fairlead::base
