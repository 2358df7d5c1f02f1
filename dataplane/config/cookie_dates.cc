#include "config/cookie_dates.h"

#include <algorithm>

namespace fairlead::config {
namespace {

constexpr size_t kDateSize = 8;
// "-LAST-FIRST"
constexpr size_t kDatesSize = 2 * (kDateSize + 1);

void write_date(char* out, uint32_t date) {
  out[0] = '-';
  for (size_t i = 0; i < kDateSize; ++i) out[i + 1] = "0123456789abcdef"[date >> (28 - 4 * i) & 15];
}

std::optional<uint32_t> read_date(std::string_view text) {
  if (text[0] != '-') return std::nullopt;
  uint32_t date = 0;
  for (char c : text.substr(1, kDateSize)) {
    bool is_digit = c >= '0' && c <= '9';
    bool is_letter = c >= 'a' && c <= 'f';
    if (!is_digit && !is_letter) return std::nullopt;
    date = date << 4 | static_cast<uint32_t>(is_digit ? c - '0' : c - 'a' + 10);
  }
  return date;
}

// No backend's name is empty, so this hashes what no server's value is a hash of.
CookieValue cover_of(const base::SipKey& key, std::string_view dates) {
  std::array<char, kDatesSize> bytes;
  std::ranges::copy(dates, bytes.begin());
  bytes[0] = '\0';
  return base::siphash(key, {bytes.data(), bytes.size()});
}

}  // namespace

std::array<char, kDatedCookieSize> to_text(const base::SipKey& key, CookieValue value, CookieDates dates) {
  std::array<char, kDatedCookieSize> text;
  char* dates_text = text.data() + kCookieValueSize;
  write_date(dates_text, dates.last);
  write_date(dates_text + kDateSize + 1, dates.first);
  std::ranges::copy(to_text(value ^ cover_of(key, {dates_text, kDatesSize})), text.begin());
  return text;
}

std::optional<DatedCookie> parse_cookie(const base::SipKey& key, std::string_view text) {
  std::optional<CookieValue> value = parse_cookie_value(text.substr(0, kCookieValueSize));
  if (!value) return std::nullopt;
  if (text.size() == kCookieValueSize) return DatedCookie{.value = *value};
  if (text.size() != kDatedCookieSize) return std::nullopt;
  std::string_view dates = text.substr(kCookieValueSize);
  std::optional<uint32_t> last = read_date(dates);
  std::optional<uint32_t> first = read_date(dates.substr(kDateSize + 1));
  if (!last || !first) return std::nullopt;
  return DatedCookie{.value = *value ^ cover_of(key, dates), .dates = CookieDates{.last = *last, .first = *first}};
}

bool is_over(const CookiePersistence& cookie, CookieDates dates, uint32_t second) {
  auto age = [second](uint32_t date) { return std::chrono::seconds(int64_t{second} - int64_t{date}); };
  bool is_ahead = age(std::max(dates.last, dates.first)) < -std::chrono::seconds(kCookieSkewMax);
  return is_ahead || (cookie.max_idle && age(dates.last) > *cookie.max_idle) ||
         (cookie.max_life && age(dates.first) > *cookie.max_life);
}

}  // namespace fairlead::config
