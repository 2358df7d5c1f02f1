#include "http/cookies.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <random>
#include <string>
#include <vector>

namespace fairlead::http {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class CookieFields : public testing::Test {
 protected:
  void add(std::string_view name, std::string_view value) { headers_.push_back({.name = name, .value = value}); }
  // What a writer passes on.
  std::vector<std::string> lines() const {
    std::vector<std::string> lines;
    for (const Header& header : headers_) {
      if (!header.hop_by_hop) lines.push_back(std::string(header.name) + ": " + std::string(header.value));
    }
    return lines;
  }
  std::vector<std::string> values(std::string_view name, size_t most = 3) {
    std::array<std::string_view, 3> found;
    size_t count = cookie_values(headers_, name, std::span(found).first(most));
    return {found.begin(), found.begin() + static_cast<ptrdiff_t>(count)};
  }

  HeaderList headers_;
  CookieText text_;
};

TEST_F(CookieFields, HaveAllCookiesOfAName) {
  add("Cookie", "b=0; a=1;a=\"2\" ;\ta =no; aa=no; a");
  add("X", "a=no");
  add("COOKIE", "A=no; a=3=4; a=5");
  EXPECT_THAT(values("a"), ElementsAre("1", "\"2\"", "3=4"));
  EXPECT_THAT(values("a", 1), ElementsAre("1"));
  EXPECT_THAT(values("c"), IsEmpty());
}

TEST_F(CookieFields, LoseTheCookiesOfAName) {
  add("Cookie", "a=1");
  add("Cookie", "b=1; a=2;c=3;a=4");
  add("Cookie", "a=5; d=\"x;a=6;y\"");
  add("Cookie", "e=1 ; ab=2");
  remove_cookies(headers_, "a", text_);
  EXPECT_THAT(lines(), ElementsAre("Cookie: b=1;c=3", "Cookie: d=\"x;y\"", "Cookie: e=1 ; ab=2"));
}

TEST_F(CookieFields, LoseTheirPrefix) {
  add("Cookie", "b=1; a=xx~own; c=3");
  add("cookie", "a=xx~; a=xxx~; a=x; a=~~~~");
  cut_cookies(headers_, "a", {2, '~'}, text_);
  EXPECT_THAT(lines(), ElementsAre("Cookie: b=1; a=own; c=3", "cookie: a=; a=xxx~; a=x; a=~"));
}

TEST_F(CookieFields, AreSetOrNot) {
  add("Set-Cookie", "a=1; Path=/; a=2");
  add("SET-COOKIE", "ab=1; a=2");
  add("Set-Cookie", "  a=; Secure");
  remove_set_cookies(headers_, "a");
  EXPECT_THAT(lines(), ElementsAre("SET-COOKIE: ab=1; a=2"));
}

TEST_F(CookieFields, AreSetAnew) {
  add("Set-Cookie", "a=1; Path=/; a=2");
  add("Set-Cookie", "b=1");
  add("set-cookie", "a=");
  ASSERT_TRUE(write_set_cookies(headers_, "a", "new", std::nullopt, text_));
  EXPECT_THAT(lines(), ElementsAre("Set-Cookie: a=new; Path=/; a=2", "Set-Cookie: b=1", "set-cookie: a=new"));
  ASSERT_TRUE(write_set_cookies(headers_, "a", "v", '~', text_));
  EXPECT_THAT(lines(), ElementsAre("Set-Cookie: a=v~new; Path=/; a=2", "Set-Cookie: b=1", "set-cookie: a=v~new"));
}

TEST_F(CookieFields, HaveNoMoreRoomThanThereIs) {
  std::string huge = "a=" + std::string(CookieText::kSize, 'x');
  add("Set-Cookie", huge);
  EXPECT_FALSE(write_set_cookies(headers_, "a", "v", '~', text_));
  text_.clear();
  text_.add("as before");
  EXPECT_EQ(text_.take(), "as before");
}

// Whatever comes: what is left has none of the name, all the others, and nothing grows.
TEST(CookiesOfAnyKind, AreTakenOut) {
  unsigned seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  CookieText text;
  for (int round = 0; round < 20'000; ++round) {
    std::string field;
    for (size_t i = random() % 40; i > 0; --i) field += "ab=; \t\"~,"[random() % 9];
    HeaderList headers;
    headers.push_back({.name = "Cookie", .value = field, .copyable = true});
    auto others = [&](const HeaderList& list) {
      std::vector<std::string> found;
      std::array<std::string_view, 40> values;
      size_t count = cookie_values(list, "b", values);
      for (size_t i = 0; i < count; ++i) found.emplace_back(values[i]);
      return found;
    };
    auto before = others(headers);
    text.clear();
    remove_cookies(headers, "a", text);
    std::array<std::string_view, 1> left;
    const Header& header = headers[0];
    if (header.hop_by_hop) {
      EXPECT_THAT(before, IsEmpty()) << field;
      continue;
    }
    EXPECT_EQ(cookie_values(headers, "a", left), 0u) << field << " became " << header.value;
    EXPECT_EQ(others(headers), before) << field << " became " << header.value;
    EXPECT_LE(header.value.size(), field.size());
  }
}

}  // namespace
}  // namespace fairlead::http
