// What old clients send that is wrong and may be accepted all the same, where somebody says so by name.
#pragma once

#include <cstdint>

namespace fairlead::http {

enum class Quirk : uint8_t {
  // LF alone ends a line of a request's head.
  kBareLineFeed,
  // Names that read as another header's with '_' for '-' (`Content_Length`) are left out, not refused.
  kUnderscoreNames,
  // Any number of empty lines before a request.
  kEmptyLines,
};

class QuirkSet {
 public:
  constexpr bool contains(Quirk quirk) const { return (bits_ & bit(quirk)) != 0; }
  constexpr void insert(Quirk quirk) { bits_ |= bit(quirk); }
  constexpr bool empty() const { return bits_ == 0; }
  bool operator==(const QuirkSet&) const = default;

 private:
  static constexpr uint8_t bit(Quirk quirk) { return static_cast<uint8_t>(1u << static_cast<unsigned>(quirk)); }

  uint8_t bits_ = 0;
};

}  // namespace fairlead::http
