#include "base/slab.h"

#include <sys/mman.h>

#include <new>

namespace fairlead::base {
namespace {

constexpr size_t kChunkSize = size_t{2} << 20;

// Aligned to its size, so that an object's chunk is found by its address.
void* map_chunk() {
  void* at = mmap(nullptr, 2 * kChunkSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (at == MAP_FAILED) throw std::bad_alloc();
  auto begin = reinterpret_cast<uintptr_t>(at);
  uintptr_t aligned = (begin + kChunkSize - 1) / kChunkSize * kChunkSize;
  if (aligned > begin) munmap(at, aligned - begin);
  if (size_t behind = begin + kChunkSize - aligned; behind > 0) {
    munmap(reinterpret_cast<void*>(aligned + kChunkSize), behind);
  }
  return reinterpret_cast<void*>(aligned);
}

}  // namespace

struct Slab::Chunk {
  struct Free {
    Free* next;
  };

  static Chunk& of(void* object) {
    return *reinterpret_cast<Chunk*>(reinterpret_cast<uintptr_t>(object) / kChunkSize * kChunkSize);
  }

  Chunk* next = nullptr;
  Chunk* previous = nullptr;
  Free* released = nullptr;
  size_t used = 0;
  // From here on nothing has been touched.
  size_t fresh = sizeof(Chunk);

  bool has_room(size_t size) const { return released || fresh + size <= kChunkSize; }
};

void* Slab::allocate() {
  std::lock_guard lock(mutex_);
  Chunk& chunk = chunk_with_room();
  ++chunk.used;
  void* object = chunk.released;
  if (object) {
    chunk.released = chunk.released->next;
  } else {
    object = reinterpret_cast<char*>(&chunk) + chunk.fresh;
    chunk.fresh += object_size_;
  }
  if (!chunk.has_room(object_size_)) take_out(chunk);
  return object;
}

void Slab::release(void* object) noexcept {
  std::lock_guard lock(mutex_);
  Chunk& chunk = Chunk::of(object);
  const bool had_room = chunk.has_room(object_size_);
  chunk.released = new (object) Chunk::Free{chunk.released};
  --chunk.used;
  if (!had_room) insert(chunk);
  // The last one with room is kept, lest one object that comes and goes maps a chunk each time.
  if (chunk.used == 0 && (chunk.next || chunk.previous)) give_back(chunk);
}

size_t Slab::chunks() {
  std::lock_guard lock(mutex_);
  return chunks_;
}

Slab::Chunk& Slab::chunk_with_room() {
  if (first_) return *first_;
  void* memory = map_chunk();
  // Advice only: without huge pages it works as well.
  if (chunks_ > 0) madvise(memory, kChunkSize, MADV_HUGEPAGE);
  ++chunks_;
  insert(*new (memory) Chunk());
  return *first_;
}

void Slab::give_back(Chunk& chunk) noexcept {
  take_out(chunk);
  --chunks_;
  munmap(&chunk, kChunkSize);
}

void Slab::insert(Chunk& chunk) noexcept {
  chunk.previous = nullptr;
  chunk.next = first_;
  if (first_) first_->previous = &chunk;
  first_ = &chunk;
}

void Slab::take_out(Chunk& chunk) noexcept {
  if (chunk.next) chunk.next->previous = chunk.previous;
  (chunk.previous ? chunk.previous->next : first_) = chunk.next;
  chunk.next = chunk.previous = nullptr;
}

}  // namespace fairlead::base
