// What a cookie of persistence says when it has dates: whose it is, when it was last used, and when first.
//
// "VALUE-LAST-FIRST": the dates are seconds since 1970, 8 hexadecimal digits each. VALUE is the server's CookieValue,
// XORed with SipHash-2-4 of "\0LAST-FIRST" under the same key: so it covers the dates. With other ones it is the value
// of no server, and from a cookie with dates nobody makes one without, which would hold for ever. Pure.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "config/persistence.h"
#include "config/persistence_targets.h"

namespace fairlead::config {

struct CookieDates {
  // Seconds since 1970.
  uint32_t last = 0;
  uint32_t first = 0;
  bool operator==(const CookieDates&) const = default;
};

struct DatedCookie {
  CookieValue value = 0;
  // Unset: it has none.
  std::optional<CookieDates> dates{};
  bool operator==(const DatedCookie&) const = default;
};

inline constexpr size_t kDatedCookieSize = kCookieValueSize + 2 * 9;
// Data planes whose clocks differ by less take each other's dates.
inline constexpr uint32_t kCookieSkewMax = 24 * 60 * 60;

std::array<char, kDatedCookieSize> to_text(const base::SipKey& key, CookieValue value, CookieDates dates);
// With dates or without, as to_text() gives them. Nothing tells whether somebody has changed the dates, but that no
// server has such a value.
std::optional<DatedCookie> parse_cookie(const base::SipKey& key, std::string_view text);
// A cookie with these dates leads nowhere any more. `second`: now, since 1970.
bool is_over(const CookiePersistence& cookie, CookieDates dates, uint32_t second);

}  // namespace fairlead::config
