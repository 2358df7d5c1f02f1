#include "runtime/frame_pool.h"

#include <array>
#include <new>
#include <utility>

namespace fairlead::runtime {
namespace {

constexpr size_t kGranule = 64;
// The compiler may put the frames of awaited tasks into the awaiting one: an exchange's is some 4 KiB.
constexpr size_t kLargest = 16384;

struct FreeFrame {
  FreeFrame* next;
};

class FramePool {
 public:
  static size_t granules_of(size_t size) { return (size + kGranule - 1) / kGranule; }

  ~FramePool() {
    trim();
    trim();
  }

  void* allocate(size_t granules) {
    FreeFrame*& first = free_[granules];
    if (!first) [[unlikely]]
      return allocate_another(granules);
    FreeFrame* frame = first;
    first = frame->next;
    return frame;
  }

  void free(void* memory, size_t granules) {
    auto* frame = static_cast<FreeFrame*>(memory);
    frame->next = free_[granules];
    free_[granules] = frame;
  }

  // Frames that are free become old, and old ones go.
  size_t trim() {
    size_t bytes = 0;
    for (size_t granules = 0; granules < free_.size(); ++granules) {
      for (FreeFrame* frame = std::exchange(old_[granules], std::exchange(free_[granules], nullptr)); frame;) {
        ::operator delete(std::exchange(frame, frame->next));
        bytes += granules * kGranule;
      }
    }
    return bytes;
  }

  uint64_t from_heap_ = 0;

 private:
  [[gnu::noinline]] void* allocate_another(size_t granules) {
    if (FreeFrame* frame = old_[granules]) {
      old_[granules] = frame->next;
      return frame;
    }
    ++from_heap_;
    return ::operator new(granules * kGranule);
  }

  using Lists = std::array<FreeFrame*, kLargest / kGranule + 1>;
  // By size in granules: those that were freed since the last trim(), and those from before it that nobody has needed.
  Lists free_{};
  Lists old_{};
};

thread_local FramePool pool;

}  // namespace

// Under a sanitizer every frame is the heap's own, so that use after free is seen.
#ifdef FAIRLEAD_SANITIZED
void* allocate_frame(size_t size) {
  ++pool.from_heap_;
  return ::operator new(size);
}
void free_frame(void* frame, size_t) noexcept { ::operator delete(frame); }
#else
void* allocate_frame(size_t size) {
  if (size > kLargest) [[unlikely]] {
    ++pool.from_heap_;
    return ::operator new(size);
  }
  return pool.allocate(FramePool::granules_of(size));
}

void free_frame(void* frame, size_t size) noexcept {
  if (size > kLargest) [[unlikely]] {
    ::operator delete(frame);
    return;
  }
  pool.free(frame, FramePool::granules_of(size));
}
#endif

size_t trim_frames() { return pool.trim(); }

uint64_t frames_from_heap() { return pool.from_heap_; }

}  // namespace fairlead::runtime
