#include "tls/ticket_keys.h"

#include "gtest/gtest.h"

namespace fairlead::tls {
namespace {

using std::chrono::minutes;

TEST(TicketKeysTest, AKeyMakesTicketsForItsTimeAndOpensThemLonger) {
  TicketKeys keys;
  auto begin = TicketKeys::Clock::now();
  TicketKeys::Key first = keys.newest(begin + minutes(59));
  EXPECT_EQ(first.name, keys.newest(begin + minutes(1)).name);
  TicketKeys::Key second = keys.newest(begin + minutes(61));
  EXPECT_NE(second.name, first.name);
  TicketKeys::Key found{};
  bool is_newest = true;
  ASSERT_TRUE(keys.find(first.name.data(), begin + minutes(62), found, is_newest));
  EXPECT_EQ(found.encryption, first.encryption);
  EXPECT_FALSE(is_newest) << "a client that comes with it gets a new one";
  ASSERT_TRUE(keys.find(second.name.data(), begin + minutes(62), found, is_newest));
  EXPECT_TRUE(is_newest);
  EXPECT_TRUE(keys.find(first.name.data(), begin + minutes(179), found, is_newest));
  EXPECT_FALSE(keys.find(first.name.data(), begin + minutes(181), found, is_newest));
}

TEST(TicketKeysTest, OthersOpenNothing) {
  TicketKeys keys;
  TicketKeys others;
  auto now = TicketKeys::Clock::now();
  TicketKeys::Key found{};
  bool is_newest = false;
  EXPECT_FALSE(keys.find(others.newest(now).name.data(), now, found, is_newest));
  EXPECT_NE(keys.id(), others.id());
}

}  // namespace
}  // namespace fairlead::tls
