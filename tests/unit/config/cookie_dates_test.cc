// Cookies with dates: that they are read as they were written, and lead nowhere when they were changed or are too old.
#include "config/cookie_dates.h"

#include <gmock/gmock.h>

#include <string>

namespace fairlead::config {
namespace {

using std::chrono::seconds;

constexpr base::SipKey kKey{1, 2};
constexpr CookieValue kValue = 0x0123456789abcdef;

std::string dated(CookieDates dates, const base::SipKey& key = kKey) {
  auto text = to_text(key, kValue, dates);
  return {text.data(), text.size()};
}

TEST(CookieDatesTest, AreReadAsTheyWereWritten) {
  for (CookieDates dates : {CookieDates{}, CookieDates{0x6aabbccd, 0x12345678}, CookieDates{UINT32_MAX, 1}}) {
    EXPECT_THAT(dated(dates), testing::MatchesRegex("[0-9a-f]{16}-[0-9a-f]{8}-[0-9a-f]{8}"));
    EXPECT_EQ(parse_cookie(kKey, dated(dates)), (DatedCookie{kValue, dates}));
  }
  EXPECT_THAT(dated({0x6aabbccd, 0x12345678}), testing::EndsWith("-6aabbccd-12345678"));
}

TEST(CookieDatesTest, ThereNeedBeNone) {
  auto text = to_text(kValue);
  EXPECT_EQ(parse_cookie(kKey, {text.data(), text.size()}), (DatedCookie{kValue, std::nullopt}));
}

TEST(CookieDatesTest, AreCoveredByTheSecret) {
  const std::string text = dated({1000, 900});
  for (size_t i = 0; i < text.size(); ++i) {
    std::string changed = text;
    changed[i] = changed[i] == '0' ? '1' : changed[i] == '-' ? '-' : '0';
    if (changed == text) continue;
    auto read = parse_cookie(kKey, changed);
    ASSERT_TRUE(read) << changed;
    EXPECT_NE(read->value, kValue) << changed;
  }
  EXPECT_NE(parse_cookie(kKey, text.substr(0, kCookieValueSize))->value, kValue) << "without dates";
  EXPECT_NE(parse_cookie({1, 3}, text)->value, kValue) << "another secret";
  EXPECT_NE(text.substr(0, 16), dated({1001, 900}).substr(0, 16));
}

TEST(CookieDatesTest, OtherTextIsNone) {
  const std::string text = dated({1000, 900});
  for (size_t size = 0; size < text.size(); ++size) {
    if (size != kCookieValueSize) EXPECT_FALSE(parse_cookie(kKey, text.substr(0, size))) << size;
  }
  EXPECT_FALSE(parse_cookie(kKey, text + "0"));
  for (size_t i = 0; i < text.size(); ++i) {
    for (char c : {'g', 'A', ' ', '~'}) {
      std::string changed = text;
      changed[i] = c;
      EXPECT_FALSE(parse_cookie(kKey, changed)) << changed;
    }
  }
}

TEST(CookieDatesTest, AreOverByIdleTimeAndByLife) {
  CookiePersistence cookie;
  EXPECT_FALSE(is_over(cookie, {0, 0}, UINT32_MAX)) << "no limits";
  cookie.max_idle = seconds(10);
  EXPECT_FALSE(is_over(cookie, {1000, 0}, 1010));
  EXPECT_TRUE(is_over(cookie, {1000, 0}, 1011));
  cookie.max_life = seconds(100);
  EXPECT_FALSE(is_over(cookie, {1000, 910}, 1010));
  EXPECT_TRUE(is_over(cookie, {1000, 909}, 1010));
  cookie.max_idle.reset();
  EXPECT_FALSE(is_over(cookie, {0, 910}, 1010));
  EXPECT_TRUE(is_over(cookie, {1010, 909}, 1010));
}

TEST(CookieDatesTest, ClocksThatDifferDoNotMatterAndNonsenseDoes) {
  CookiePersistence cookie;
  cookie.max_idle = seconds(10);
  EXPECT_FALSE(is_over(cookie, {1000 + kCookieSkewMax, 1000}, 1000));
  EXPECT_TRUE(is_over(cookie, {1001 + kCookieSkewMax, 1000}, 1000));
  EXPECT_TRUE(is_over(cookie, {1000, 1001 + kCookieSkewMax}, 1000));
  EXPECT_TRUE(is_over(cookie, {UINT32_MAX, UINT32_MAX}, 1000));
}

}  // namespace
}  // namespace fairlead::config
