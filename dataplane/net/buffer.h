// Memory for bytes on their way: buffers of one size from a free list of the worker, last used first.
//
// Who moves bytes holds a buffer for as long as it has some; an idle connection holds none. One thread.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "base/check.h"

namespace fairlead::net {

inline constexpr size_t kBufferSize = 32 * 1024;

class BufferPool {
 public:
  // Keeps at most `keep` unused buffers; more go back to the heap.
  explicit BufferPool(size_t keep = 512) : keep_(keep) { free_.reserve(keep); }
  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;
  ~BufferPool() { FAIRLEAD_CHECK(in_use_ == 0); }

  size_t in_use() const { return in_use_; }

  // Gives those back to the heap that nobody has needed since the last call. How many bytes that were.
  size_t trim() {
    const size_t count = std::exchange(needless_, free_.size());
    // The last used are taken first, so that these are the needless ones.
    free_.erase(free_.begin(), free_.begin() + static_cast<ptrdiff_t>(count));
    needless_ -= count;
    return count * kBufferSize;
  }

 private:
  friend class Buffer;
  using Memory = std::unique_ptr<char[]>;

  Memory take() {
    ++in_use_;
    if (free_.empty()) return std::make_unique_for_overwrite<char[]>(kBufferSize);
    Memory memory = std::move(free_.back());
    free_.pop_back();
    needless_ = std::min(needless_, free_.size());
    return memory;
  }
  void give_back(Memory memory) {
    --in_use_;
    if (free_.size() < keep_) free_.push_back(std::move(memory));
  }

  size_t keep_;
  size_t in_use_ = 0;
  std::vector<Memory> free_;
  // So many of the free ones have been free since the last trim().
  size_t needless_ = 0;
};

// A window [begin, end) of unread bytes in memory that is taken from the pool when it is first needed.
class Buffer {
 public:
  explicit Buffer(BufferPool& pool) : pool_(&pool) {}
  Buffer(Buffer&& other) noexcept
      : pool_(other.pool_),
        memory_(std::move(other.memory_)),
        begin_(std::exchange(other.begin_, 0)),
        end_(std::exchange(other.end_, 0)),
        is_stowed_(std::exchange(other.is_stowed_, false)) {}
  Buffer& operator=(Buffer&&) = delete;
  ~Buffer() { release(); }

  bool empty() const { return begin_ == end_; }
  size_t size() const { return end_ - begin_; }
  std::string_view unread() const { return {memory_.get() + begin_, size()}; }
  void consume(size_t count) {
    FAIRLEAD_CHECK(count <= size());
    begin_ += static_cast<uint32_t>(count);
    if (begin_ == end_) begin_ = end_ = 0;
  }

  // Room behind the unread bytes; they are moved to the front where that makes room. Empty only when all is unread.
  std::span<char> room() {
    if (!memory_ || is_stowed_) [[unlikely]]
      take_memory();
    if (begin_ > 0 && end_ > kBufferSize / 2) [[unlikely]]
      move_to_front();
    return {memory_.get() + end_, kBufferSize - end_};
  }
  // `count` bytes were written to the room.
  void commit(size_t count) {
    FAIRLEAD_CHECK(end_ + count <= kBufferSize);
    end_ += static_cast<uint32_t>(count);
  }
  void append(std::string_view bytes) {
    std::span<char> free = room();
    FAIRLEAD_CHECK(bytes.size() <= free.size());
    std::memcpy(free.data(), bytes.data(), bytes.size());
    commit(bytes.size());
  }

  // Nothing is unread any more; the memory stays.
  void clear() { begin_ = end_ = 0; }
  // Gives the memory back where nothing is unread.
  void release_if_empty() {
    if (empty()) release();
  }
  void release() {
    begin_ = end_ = 0;
    if (!memory_) return;
    if (is_stowed_) [[unlikely]]
      return drop_stowed();
    pool_->give_back(std::move(memory_));
  }
  // For a long wait with little unread: that goes to memory of its size on the heap, and the pool's goes back. room()
  // takes that of the pool again. What is much stays as it is.
  void stow() {
    if (empty()) return release();
    if (is_stowed_ || size() > kBufferSize / 2) return;
    Memory small = std::make_unique_for_overwrite<char[]>(size());
    std::memcpy(small.get(), memory_.get() + begin_, size());
    pool_->give_back(std::exchange(memory_, std::move(small)));
    end_ -= begin_;
    begin_ = 0;
    is_stowed_ = true;
  }

 private:
  using Memory = BufferPool::Memory;

  [[gnu::noinline]] void take_memory() {
    Memory memory = pool_->take();
    if (is_stowed_) {
      std::memcpy(memory.get(), memory_.get() + begin_, size());
      end_ -= begin_;
      begin_ = 0;
      is_stowed_ = false;
    }
    memory_ = std::move(memory);
  }
  [[gnu::noinline]] void drop_stowed() {
    memory_.reset();
    is_stowed_ = false;
  }
  [[gnu::noinline]] void move_to_front() {
    std::memmove(memory_.get(), memory_.get() + begin_, size());
    end_ -= begin_;
    begin_ = 0;
  }

  BufferPool* pool_;
  std::unique_ptr<char[]> memory_;
  uint32_t begin_ = 0;
  uint32_t end_ = 0;
  bool is_stowed_ = false;
};

}  // namespace fairlead::net
