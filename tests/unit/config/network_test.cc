#include "config/network.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

#include <random>
#include <string>
#include <vector>

namespace fairlead::config {
namespace {

using testing::HasSubstr;

IpNumber ip(const std::string& text) {
  sockaddr_storage storage{};
  auto& ip4 = reinterpret_cast<sockaddr_in&>(storage);
  auto& ip6 = reinterpret_cast<sockaddr_in6&>(storage);
  if (inet_pton(AF_INET, text.c_str(), &ip4.sin_addr) == 1) {
    storage.ss_family = AF_INET;
  } else {
    EXPECT_EQ(inet_pton(AF_INET6, text.c_str(), &ip6.sin6_addr), 1) << text;
    storage.ss_family = AF_INET6;
  }
  return ip_number(storage).value();
}

Network network(const std::string& text) { return Network::parse(text).value(); }

TEST(NetworkTest, IsAllAddressesWithItsFirstBits) {
  EXPECT_EQ(network("10.1.2.3"), (Network{ip("10.1.2.3"), ip("10.1.2.3")}));
  EXPECT_EQ(network("10.1.2.3/32"), network("10.1.2.3"));
  EXPECT_EQ(network("10.0.0.0/8"), (Network{ip("10.0.0.0"), ip("10.255.255.255")}));
  EXPECT_EQ(network("0.0.0.0/0"), (Network{ip("0.0.0.0"), ip("255.255.255.255")}));
  EXPECT_EQ(network("2001:db8::/33"), (Network{ip("2001:db8::"), ip("2001:db8:7fff:ffff:ffff:ffff:ffff:ffff")}));
  EXPECT_EQ(network("::1/128"), network("::1"));
  EXPECT_EQ(network("::/0").last, absl::Uint128Max());
  // Of IPv4, whichever way it is written.
  EXPECT_EQ(network("::ffff:10.0.0.0/104"), network("10.0.0.0/8"));
  EXPECT_EQ(ip("::ffff:10.1.2.3"), ip("10.1.2.3"));
}

TEST(NetworkTest, IsRefusedWhereItIsAmbiguous) {
  for (const char* text : {"",
                           "10",
                           "10.0.0",
                           "10.0.0.0/",
                           "10.0.0.0/33",
                           "10.0.0.0/-1",
                           "10.0.0.0/08",
                           "10.0.0.0/8/8",
                           "10.0.0.0/8 ",
                           " 10.0.0.0/8",
                           "10.0.0.0/255.0.0.0",
                           "010.0.0.0/8",
                           "::/129",
                           "::1%eth0",
                           "[::1]",
                           "10.0.0.0:80",
                           "unix",
                           "unix:/a",
                           "a.example",
                           "10.0.0.0/1000"}) {
    EXPECT_THAT(std::string(Network::parse(text).status().message()), HasSubstr("is not a network")) << text;
  }
  EXPECT_THAT(std::string(Network::parse("10.1.0.0/8").status().message()),
              HasSubstr("\"10.1.0.0/8\" is not a network: there are bits set beyond the first 8"));
  EXPECT_FALSE(Network::parse("2001:db8::1/64").ok());
}

TEST(NetworkTableTest, TheFirstEntryThatHasAnAddressDecides) {
  const NetworkTable table({{network("10.1.2.3"), true},
                            {network("10.1.0.0/16"), false},
                            {network("10.0.0.0/8"), true},
                            {network("2001:db8::/32"), true}},
                           false);
  EXPECT_TRUE(table.find(ip("10.1.2.3")));
  EXPECT_FALSE(table.find(ip("10.1.2.4")));
  EXPECT_FALSE(table.find(ip("10.1.255.255")));
  EXPECT_TRUE(table.find(ip("10.2.0.0")));
  EXPECT_FALSE(table.find(ip("11.0.0.0")));
  EXPECT_FALSE(table.find(ip("9.255.255.255")));
  EXPECT_TRUE(table.find(ip("2001:db8:ffff::1")));
  EXPECT_FALSE(table.find(ip("2001:db9::")));
  EXPECT_FALSE(table.find(ip("::")));
}

TEST(NetworkTableTest, NetworksOfIp6HaveNoAddressesOfIp4) {
  const NetworkTable denied({{network("::/0"), false}}, true);
  EXPECT_FALSE(denied.find(ip("2001:db8::1")));
  EXPECT_FALSE(denied.find(ip("::1")));
  EXPECT_TRUE(denied.find(ip("10.0.0.1")));
  EXPECT_TRUE(denied.find(ip("255.255.255.255")));
  const NetworkTable all_four({{network("0.0.0.0/0"), false}}, true);
  EXPECT_FALSE(all_four.find(ip("10.0.0.1")));
  EXPECT_TRUE(all_four.find(ip("::1")));
}

TEST(NetworkTableTest, SaysWhatGoingThroughTheListSays) {
  for (uint32_t seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    std::mt19937 random(seed);
    // Within few bits, so that networks lie in one another.
    const IpNumber base = seed % 2 == 0 ? ip("10.0.0.0") : ip("2001:db8::");
    std::vector<NetworkTable::Entry> entries;
    for (int i = 0; i < 60; ++i) {
      const uint32_t free = random() % 11;
      const IpNumber first = base + IpNumber{(random() % 2048) >> free << free};
      entries.push_back({{first, first + ((IpNumber{1} << free) - 1)}, random() % 2 == 0});
    }
    const bool otherwise = random() % 2 == 0;
    const NetworkTable table(entries, otherwise);
    for (IpNumber address = base - 2; address < base + 2050; ++address) {
      bool expected = otherwise;
      for (const NetworkTable::Entry& entry : entries) {
        if (address < entry.network.first || address > entry.network.last) continue;
        expected = entry.value;
        break;
      }
      ASSERT_EQ(table.find(address), expected) << absl::Uint128Low64(address);
    }
    EXPECT_LE(table.ranges(), 2 * entries.size() + 1);
  }
}

TEST(NetworkTableTest, HasAtMostTwoRangesForEachOfThousands) {
  std::vector<NetworkTable::Entry> entries;
  for (uint32_t i = 0; i < 10'000; ++i) {
    const IpNumber first = ip("10.0.0.0") + IpNumber{i * 4};
    entries.push_back({{first, first + 1}, i % 2 == 0});
  }
  entries.push_back({network("10.0.0.0/8"), false});
  const NetworkTable table(entries, true);
  EXPECT_LE(table.ranges(), 2 * entries.size() + 1);
  EXPECT_TRUE(table.find(ip("10.0.0.1")));
  EXPECT_FALSE(table.find(ip("10.0.0.2")));
  EXPECT_FALSE(table.find(ip("10.0.0.4")));
  EXPECT_TRUE(table.find(ip("11.0.0.0")));
}

}  // namespace
}  // namespace fairlead::config
