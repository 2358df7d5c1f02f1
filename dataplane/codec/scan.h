// Finding the first byte of a kind, sixteen at a time where the processor has SSE2 (each x86-64 has).
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace fairlead::codec {

// Where a parser stands in the bytes that it was given.
struct Cursor {
  explicit Cursor(std::string_view bytes) : begin(bytes.data()), at(bytes.data()), end(bytes.data() + bytes.size()) {}

  bool at_end() const { return at == end; }
  size_t left() const { return static_cast<size_t>(end - at); }
  size_t consumed() const { return static_cast<size_t>(at - begin); }

  const char* begin;
  const char* at;
  const char* end;
};

constexpr std::string_view text_between(const char* from, const char* to) {
  return {from, static_cast<size_t>(to - from)};
}

using CharTable = std::array<bool, 256>;

constexpr CharTable make_char_table(auto is_member) {
  CharTable table{};
  for (unsigned c = 0; c < 256; ++c) table[c] = is_member(static_cast<unsigned char>(c));
  return table;
}

constexpr bool is_letter(unsigned char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
constexpr bool is_digit(unsigned char c) { return c >= '0' && c <= '9'; }
constexpr bool is_whitespace(unsigned char c) { return c == ' ' || c == '\t'; }
constexpr bool is_hex_digit(unsigned char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

// RFC 9110 section 5.6.2.
inline constexpr CharTable kTokenTable = make_char_table([](unsigned char c) {
  return is_letter(c) || is_digit(c) || (c != 0 && std::string_view("!#$%&'*+-.^_`|~").contains(static_cast<char>(c)));
});
constexpr bool is_token_char(char c) { return kTokenTable[static_cast<unsigned char>(c)]; }

// What a field value may not contain: controls but TAB (RFC 9110 section 5.5). Bytes from 0x80 are opaque.
struct ValueStop {
  static constexpr bool test(unsigned char c) { return (c < 0x20 && c != '\t') || c == 0x7f; }
#if defined(__SSE2__)
  static __m128i test(__m128i block) {
    const __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(block, _mm_set1_epi8(0x1f)), block);
    const __m128i tab = _mm_cmpeq_epi8(block, _mm_set1_epi8('\t'));
    const __m128i del = _mm_cmpeq_epi8(block, _mm_set1_epi8(0x7f));
    return _mm_or_si128(_mm_andnot_si128(tab, control), del);
  }
#endif
};

// What ends a run of plain bytes in the path of a target: what no target may contain, and '?', '%', '\\', which the
// parser looks at.
struct PathStop {
  static constexpr bool test(unsigned char c) {
    return c <= 0x20 || c >= 0x7f || c == '#' || c == '?' || c == '%' || c == '\\';
  }
#if defined(__SSE2__)
  static __m128i test(__m128i block) {
    const auto is = [&](char c) { return _mm_cmpeq_epi8(block, _mm_set1_epi8(c)); };
    // Signed, so that bytes from 0x80 are below as well.
    const __m128i outside = _mm_or_si128(_mm_cmplt_epi8(block, _mm_set1_epi8(0x21)), is(0x7f));
    return _mm_or_si128(_mm_or_si128(outside, _mm_or_si128(is('#'), is('?'))), _mm_or_si128(is('%'), is('\\')));
  }
#endif
};

// The same for the query, where browsers send backslashes as they are.
struct QueryStop {
  static constexpr bool test(unsigned char c) { return c <= 0x20 || c >= 0x7f || c == '#'; }
#if defined(__SSE2__)
  static __m128i test(__m128i block) {
    const auto is = [&](char c) { return _mm_cmpeq_epi8(block, _mm_set1_epi8(c)); };
    return _mm_or_si128(_mm_cmplt_epi8(block, _mm_set1_epi8(0x21)), _mm_or_si128(is(0x7f), is('#')));
  }
#endif
};

// Anything but letters, digits, '-' and '.', of which nearly all header names and hosts consist.
struct PlainNameStop {
  static constexpr bool test(unsigned char c) { return !(is_letter(c) || is_digit(c) || c == '-' || c == '.'); }
#if defined(__SSE2__)
  static __m128i test(__m128i block) {
    const auto in_range = [](__m128i bytes, char first, char last) {
      const __m128i offset = _mm_sub_epi8(bytes, _mm_set1_epi8(first));
      return _mm_cmpeq_epi8(_mm_min_epu8(offset, _mm_set1_epi8(static_cast<char>(last - first))), offset);
    };
    const __m128i letter = in_range(_mm_or_si128(block, _mm_set1_epi8(0x20)), 'a', 'z');
    const __m128i plain = _mm_or_si128(letter, _mm_or_si128(in_range(block, '0', '9'), in_range(block, '-', '.')));
    return _mm_cmpeq_epi8(plain, _mm_setzero_si128());
  }
#endif
};

// The first byte from `at` on for which Stop holds, or `end`. Reads nothing outside [begin, end).
template <typename Stop>
[[gnu::always_inline]] inline const char* find_stop(const char* begin, const char* at, const char* end) {
#if defined(__SSE2__)
  const auto stops_at = [](const char* from) {
    const __m128i block = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
    return static_cast<unsigned>(_mm_movemask_epi8(Stop::test(block)));
  };
  auto left = static_cast<size_t>(end - at);
  for (; left >= 16; left -= 16, at += 16) {
    if (const unsigned stops = stops_at(at)) return at + std::countr_zero(stops);
  }
  if (end - begin >= 16) {
    // The rest is shorter than a block: the block that ends with it, without the bytes before `at`.
    const unsigned stops = stops_at(end - 16) >> (16 - left);
    return stops != 0 ? at + std::countr_zero(stops) : end;
  }
#else
  (void)begin;
#endif
  while (at != end && !Stop::test(static_cast<unsigned char>(*at))) ++at;
  return at;
}

template <typename Stop>
[[gnu::always_inline]] inline const char* find_stop(const Cursor& cursor) {
  return find_stop<Stop>(cursor.begin, cursor.at, cursor.end);
}

inline std::string_view trim_whitespace(std::string_view text) {
  while (!text.empty() && is_whitespace(static_cast<unsigned char>(text.front()))) text.remove_prefix(1);
  while (!text.empty() && is_whitespace(static_cast<unsigned char>(text.back()))) text.remove_suffix(1);
  return text;
}

inline bool is_token(std::string_view text) {
  if (text.empty()) return false;
  for (const char c : text) {
    if (!is_token_char(c)) return false;
  }
  return true;
}

// Takes the next element of a comma-separated list off `rest`, without the whitespace around it; it may be empty.
// Requires that `rest` is not null; null afterwards means that this was the last one.
inline std::string_view take_list_element(std::string_view& rest) {
  const size_t comma = rest.find(',');
  const std::string_view element = trim_whitespace(rest.substr(0, comma));
  rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
  return element;
}

}  // namespace fairlead::codec
