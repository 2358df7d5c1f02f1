// Comparing ASCII text without regard to case, as HTTP does for names and tokens.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace fairlead::http {

constexpr char lower_case(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }

constexpr bool equals_ignoring_case(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, {}, lower_case, lower_case);
}

// A word of lower-case letters, digits and '-', compared in steps of machine words. Setting bit 0x20 folds letters; it
// also folds a few control bytes onto digits and '-', so the text compared must have no control bytes in it, which
// holds for each name and value that the codec lets pass.
class Word {
 public:
  template <size_t kSize>
  // NOLINTNEXTLINE(google-explicit-constructor): a literal is the natural way to write a word.
  consteval Word(const char (&text)[kSize]) : text_(text, kSize - 1) {}

  constexpr size_t size() const { return text_.size(); }

  // Requires that `text` has size() bytes.
  [[gnu::always_inline]] inline bool matches_bytes(const char* text) const {
    const size_t size = text_.size();
    if (size >= 8) return differences<uint64_t>(text) == 0;
    if (size >= 4) return differences<uint32_t>(text) == 0;
    return differences<uint8_t>(text) == 0;
  }

  [[gnu::always_inline]] inline bool matches(std::string_view text) const {
    return text.size() == text_.size() && matches_bytes(text.data());
  }

 private:
  // Loads overlap at the end instead of falling back to bytes.
  template <typename Unit>
  [[gnu::always_inline]] inline uint64_t differences(const char* text) const {
    uint64_t found = 0;
    size_t at = 0;
    for (; at + sizeof(Unit) <= text_.size(); at += sizeof(Unit)) found |= difference<Unit>(text, at);
    if (at < text_.size()) found |= difference<Unit>(text, text_.size() - sizeof(Unit));
    return found;
  }

  template <typename Unit>
  [[gnu::always_inline]] inline uint64_t difference(const char* text, size_t at) const {
    Unit theirs, ours;
    std::memcpy(&theirs, text + at, sizeof(Unit));
    std::memcpy(&ours, text_.data() + at, sizeof(Unit));
    constexpr auto kFold = static_cast<Unit>(0x2020202020202020);
    return static_cast<Unit>((theirs | kFold) ^ (ours | kFold));
  }

  std::string_view text_;
};

}  // namespace fairlead::http
