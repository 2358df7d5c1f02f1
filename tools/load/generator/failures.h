// Everything that a request may come to but the origin's own answer.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "runtime/channel.h"

namespace fairlead::generator {

enum class Cause : unsigned char {
  kConnect,      // no connection
  kReset,        // broken before or within the answer
  kClosedEarly,  // ended before or within the answer
  kTimeout,
  kMalformed,      // the answer is no HTTP
  kStatus,         // another status than expected
  kNotFromOrigin,  // without X-Origin: somebody between made it
  kBodyMismatch,   // the origin read another number of bytes than were sent, or TCP brought other bytes back
  kOverload,       // not sent: too many in flight already
};
inline constexpr size_t kCauses = 9;

std::string_view name_of(Cause cause);

struct Failure {
  Cause cause;
  std::string text;
};

Failure failure_of(runtime::IoError error, std::string_view doing);

class FailureTally {
 public:
  void add(Failure failure);
  uint64_t total() const { return total_; }
  // [{"cause":"reset","count":3,"example":"..."}]
  std::string to_json() const;

 private:
  struct Entry {
    uint64_t count = 0;
    std::string example;
  };
  std::array<Entry, kCauses> entries_;
  uint64_t total_ = 0;
};

}  // namespace fairlead::generator
