#include "tls/ticket_keys.h"

#include "gtest/gtest.h"
#include "tls/ticket_transfer.h"

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
}

TEST(TicketKeysTest, AnotherProcessGoesOnWithThem) {
  TicketKeys keys;
  const auto now = TicketKeys::Clock::now();
  const TicketKeys::Key first = keys.newest(now);
  keys.newest(now + minutes(61));
  TicketKeys next;
  const std::vector<ListenerTickets> given = {{7, 3, keys.keys()}, {8, 1, {}}};
  auto read = read_tickets(write_tickets(given));
  ASSERT_TRUE(read.ok()) << read.status();
  ASSERT_EQ(read->size(), 2u);
  EXPECT_EQ(read->at(0).uid, 7u);
  EXPECT_EQ(read->at(0).version, 3u);
  EXPECT_TRUE(read->at(1).keys.empty());
  next.adopt(read->at(0).keys);
  TicketKeys::Key found{};
  bool is_newest = true;
  ASSERT_TRUE(next.find(first.name.data(), now + minutes(62), found, is_newest));
  EXPECT_FALSE(is_newest);
  EXPECT_EQ(found.encryption, first.encryption);
  EXPECT_EQ(found.authentication, first.authentication);
  EXPECT_FALSE(next.find(first.name.data(), now + minutes(181), found, is_newest)) << "as old as they are";
  EXPECT_EQ(next.newest(now + minutes(62)).name, keys.newest(now + minutes(62)).name);
  const TicketKeys::Key own = next.newest(now);
  next.adopt({});
  EXPECT_EQ(next.newest(now).name, own.name) << "nothing was given";
}

TEST(TicketKeysTest, WhatIsNoTicketKeyIsNotRead) {
  const std::string line = write_tickets(std::vector<ListenerTickets>{{7, 3, TicketKeys().keys()}});
  const std::string key = line.substr(4, line.size() - 5);
  EXPECT_TRUE(read_tickets("").ok());
  EXPECT_TRUE(read_tickets("7 3 " + key + " " + key + "\n").ok());
  for (const std::string& text : {std::string("7"), std::string("x 3"), "7 x " + key, "7 3 " + key.substr(1) + "0",
                                  "7 3 " + key.substr(0, key.size() - 1), "7 3 " + key + "00", "7 3  " + key,
                                  "7 3 " + key.substr(0, key.size() - 1) + "g", "7 3 :" + key}) {
    auto read = read_tickets(text);
    ASSERT_FALSE(read.ok()) << text;
    EXPECT_EQ(read.status().message(), "line 1 of the ticket keys is not understood");
  }
}

}  // namespace
}  // namespace fairlead::tls
