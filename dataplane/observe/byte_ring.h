// A bounded queue of bytes between two threads, without locks: one writes, one reads.
//
// A piece is written whole or not at all, so what the reader sees at any moment is whole pieces. Neither side ever
// waits.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>

namespace fairlead::observe {

class ByteRing {
 public:
  // Holds `capacity` bytes, rounded up to a power of two.
  explicit ByteRing(size_t capacity)
      : capacity_(std::bit_ceil(capacity)), bytes_(std::make_unique_for_overwrite<char[]>(capacity_)) {}
  ByteRing(const ByteRing&) = delete;
  ByteRing& operator=(const ByteRing&) = delete;

  size_t capacity() const { return capacity_; }

  // The writing thread: false where there is no room for all of it.
  bool try_write(std::string_view piece) {
    uint64_t at = written_.load(std::memory_order_relaxed);
    if (at + piece.size() - read_seen_ > capacity_) {
      // The reader's position is on the reader's cache line: looked at only where the last look does not do.
      read_seen_ = read_.load(std::memory_order_acquire);
      if (at + piece.size() - read_seen_ > capacity_) return false;
    }
    size_t offset = at & (capacity_ - 1);
    size_t first = std::min(piece.size(), capacity_ - offset);
    std::memcpy(bytes_.get() + offset, piece.data(), first);
    std::memcpy(bytes_.get(), piece.data() + first, piece.size() - first);
    written_.store(at + piece.size(), std::memory_order_release);
    return true;
  }

  // The reading thread: all that was written and not consumed, in two parts because of the ring's end.
  std::array<std::string_view, 2> readable() const {
    uint64_t from = read_.load(std::memory_order_relaxed);
    size_t size = written_.load(std::memory_order_acquire) - from;
    size_t offset = from & (capacity_ - 1);
    size_t first = std::min(size, capacity_ - offset);
    return {std::string_view(bytes_.get() + offset, first), std::string_view(bytes_.get(), size - first)};
  }

  // The reading thread: the first `size` readable bytes may be overwritten.
  void consume(size_t size) { read_.store(read_.load(std::memory_order_relaxed) + size, std::memory_order_release); }

 private:
  static constexpr size_t kCacheLine = 64;

  const size_t capacity_;
  const std::unique_ptr<char[]> bytes_;
  // Bytes ever written and read. The writer's two stand on a cache line of their own.
  alignas(kCacheLine) std::atomic<uint64_t> written_ = 0;
  uint64_t read_seen_ = 0;
  alignas(kCacheLine) std::atomic<uint64_t> read_ = 0;
};

}  // namespace fairlead::observe
