#include "http/header.h"

#include <gtest/gtest.h>

#include <cctype>
#include <string>
#include <utility>
#include <vector>

namespace fairlead::http {
namespace {

const std::vector<std::pair<std::string, HeaderId>> kKnown = {
    {"Connection", HeaderId::kConnection},
    {"Content-Length", HeaderId::kContentLength},
    {"Content-Type", HeaderId::kContentType},
    {"Date", HeaderId::kDate},
    {"Expect", HeaderId::kExpect},
    {"Forwarded", HeaderId::kForwarded},
    {"Host", HeaderId::kHost},
    {"HTTP2-Settings", HeaderId::kHttp2Settings},
    {"Keep-Alive", HeaderId::kKeepAlive},
    {"Max-Forwards", HeaderId::kMaxForwards},
    {"Proxy-Authenticate", HeaderId::kProxyAuthenticate},
    {"Proxy-Authorization", HeaderId::kProxyAuthorization},
    {"Proxy-Connection", HeaderId::kProxyConnection},
    {"TE", HeaderId::kTe},
    {"Trailer", HeaderId::kTrailer},
    {"Transfer-Encoding", HeaderId::kTransferEncoding},
    {"Upgrade", HeaderId::kUpgrade},
    {"Via", HeaderId::kVia},
    {"X-Forwarded-For", HeaderId::kXForwardedFor},
    {"X-Forwarded-Proto", HeaderId::kXForwardedProto},
};

TEST(IdentifyHeader, KnowsEachNameInAnyCase) {
  for (const auto& [name, id] : kKnown) {
    std::string lower = name, upper = name;
    for (char& c : lower) c = static_cast<char>(std::tolower(c));
    for (char& c : upper) c = static_cast<char>(std::toupper(c));
    EXPECT_EQ(identify_header(name), id) << name;
    EXPECT_EQ(identify_header(lower), id) << name;
    EXPECT_EQ(identify_header(upper), id) << name;
  }
}

TEST(IdentifyHeader, TakesNoNeighbourForAKnownName) {
  constexpr std::string_view kTokenBytes = "!#$%&'*+.^_`|~09AZaz-";
  for (const auto& [name, id] : kKnown) {
    for (size_t at = 0; at < name.size(); ++at) {
      for (const char c : kTokenBytes) {
        std::string other = name;
        other[at] = c;
        if (equals_ignoring_case(other, name)) continue;
        EXPECT_EQ(identify_header(other), HeaderId::kOther) << other;
      }
    }
    EXPECT_EQ(identify_header(name + "s"), HeaderId::kOther) << name;
    EXPECT_EQ(identify_header(name.substr(1)), HeaderId::kOther) << name;
  }
}

TEST(Word, ComparesEachLengthToItsLastByte) {
  EXPECT_TRUE(Word("a").matches("A"));
  EXPECT_FALSE(Word("abc").matches("abx"));
  EXPECT_TRUE(Word("abcde").matches("ABCde"));
  EXPECT_FALSE(Word("abcde").matches("abcdx"));
  EXPECT_TRUE(Word("100-continue").matches("100-CONTINUE"));
  EXPECT_FALSE(Word("100-continue").matches("100-continux"));
  EXPECT_FALSE(Word("abcdefgh").matches("abcdefg"));
}

TEST(HeaderList, FindsByIdAndByNameAndForgetsAtOnce) {
  HeaderList list;
  EXPECT_EQ(list.find(HeaderId::kVia), nullptr);
  list.push_back({.name = "Via", .value = "1.1 a", .id = HeaderId::kVia});
  list.push_back({.name = "X-Thing", .value = "b"});
  list.push_back({.name = "Via", .value = "1.1 c", .id = HeaderId::kVia});
  EXPECT_EQ(list.find(HeaderId::kVia), &list[0]);
  EXPECT_EQ(list.find("x-thing"), &list[1]);
  EXPECT_EQ(list.find("x-thin"), nullptr);
  list.clear();
  EXPECT_TRUE(list.empty());
  EXPECT_FALSE(list.contains(HeaderId::kVia));
}

}  // namespace
}  // namespace fairlead::http
