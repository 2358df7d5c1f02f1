// Bytes over a stream, written and read in pieces of random sizes, for tests of what carries them.
#pragma once

#include <array>
#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "net/stream.h"
#include "runtime/task.h"
#include "test_support/random.h"

namespace fairlead::test_support {

inline std::string random_bytes(Random& random, size_t size) {
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random.below(256));
  return bytes;
}

struct Received {
  std::string bytes;
  bool ended = false;
  std::optional<net::IoError> error;
};

// Until the end of the stream, or an error.
inline runtime::Task<void> receive(net::Stream& stream, Random& random, size_t largest, Received& received) {
  std::vector<char> room(largest);
  while (true) {
    std::span<char> into(room.data(), random.between(1, largest));
    net::IoResult<size_t> count = co_await stream.read_some(into, runtime::kNever);
    if (!count) {
      received.error = count.error();
      co_return;
    }
    if (*count == 0) break;
    received.bytes.append(into.data(), *count);
  }
  received.ended = true;
}

// Three parts of at most `largest` at a time, and then the end of the stream.
inline runtime::Task<void> transmit(net::Stream& stream, Random& random, size_t largest, std::string_view bytes,
                                    net::IoResult<void>& result) {
  while (!bytes.empty()) {
    std::array<std::string_view, 3> parts;
    for (std::string_view& part : parts) {
      part = bytes.substr(0, random.between(0, largest));
      bytes.remove_prefix(part.size());
    }
    result = co_await stream.write_all({parts[0], parts[1], parts[2]}, std::chrono::hours(100));
    if (!result) co_return;
  }
  stream.shutdown_write();
}

}  // namespace fairlead::test_support
