#include "store/address_counts.h"

#include <random>
#include <vector>

#include "gtest/gtest.h"

namespace fairlead::store {
namespace {

config::Endpoint at(const std::string& text) { return config::Endpoint::parse(text).value(); }

TEST(AddressCountsTest, KnowsAddressesWhileTheyAreThere) {
  AddressCounts counts;
  EXPECT_FALSE(counts.may_arrive_at(at("10.0.0.1:80")));
  counts.add(at("10.0.0.1:80"));
  counts.add(at("10.0.0.1:80"));
  counts.remove(at("10.0.0.1:80"));
  EXPECT_TRUE(counts.may_arrive_at(at("10.0.0.1:80")));
  counts.remove(at("10.0.0.1:80"));
  EXPECT_FALSE(counts.may_arrive_at(at("10.0.0.1:80")));
}

TEST(AddressCountsTest, NeverMissesWhatWouldArrive) {
  uint32_t seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  std::vector<config::Endpoint> known;
  for (const char* host : {"127.0.0.1", "127.1.2.3", "10.0.0.1", "[::1]", "[2001:db8::1]", "0.0.0.0", "[::]"}) {
    for (const char* port : {":80", ":81"}) known.push_back(at(std::string(host) + port));
  }
  known.push_back(at("unix:/run/a"));
  AddressCounts counts;
  std::vector<config::Endpoint> present;
  for (int step = 0; step < 2000; ++step) {
    if (!present.empty() && random() % 2) {
      std::swap(present[random() % present.size()], present.back());
      counts.remove(present.back());
      present.pop_back();
    } else if (present.size() < 4) {
      present.push_back(known[random() % known.size()]);
      counts.add(present.back());
    }
    for (const config::Endpoint& place : known) {
      bool arrives = std::ranges::any_of(present, [&](auto& address) { return config::arrives_at(address, place); });
      // With so few addresses no two fingerprints are equal by chance.
      ASSERT_EQ(counts.may_arrive_at(place), arrives) << place.to_string();
    }
  }
}

}  // namespace
}  // namespace fairlead::store
