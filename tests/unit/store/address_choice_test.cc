// Which of a name's addresses each server gets.
#include "store/address_choice.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>

namespace fairlead::store {
namespace {

config::Endpoint ip(uint32_t last) { return config::Endpoint(config::Ip4Endpoint{.address = 0x0a000000 + last}); }

std::vector<config::Endpoint> ips(std::initializer_list<uint32_t> all) {
  std::vector<config::Endpoint> result;
  for (uint32_t last : all) result.push_back(ip(last));
  return result;
}

std::vector<NameHolder> holders(size_t count) {
  std::vector<NameHolder> result;
  for (size_t i = 0; i < count; ++i) {
    result.push_back({.server = "s" + std::to_string(i), .address = std::nullopt, .port = 80});
  }
  return result;
}

void take(std::vector<NameHolder>& holders, const std::vector<std::optional<config::Endpoint>>& chosen) {
  ASSERT_EQ(chosen.size(), holders.size());
  for (size_t i = 0; i < holders.size(); ++i) holders[i].address = chosen[i];
}

std::map<config::Endpoint, int> counts(const std::vector<NameHolder>& holders) {
  std::map<config::Endpoint, int> result;
  for (const NameHolder& holder : holders) {
    if (holder.address) ++result[*holder.address];
  }
  return result;
}

TEST(AddressChoice, EachHasOneOfItsOwn) {
  auto all = holders(4);
  take(all, choose_addresses(ips({1, 2, 3, 4}), 4, all));
  EXPECT_EQ(counts(all).size(), 4u);
  EXPECT_EQ(all[0].address->port(), 80);
  auto more = holders(9);
  take(more, choose_addresses(ips({1, 2, 3}), 3, more));
  for (const auto& [address, count] : counts(more)) EXPECT_EQ(count, 3);
}

TEST(AddressChoice, OneKeepsWhatItHas) {
  auto all = holders(1);
  take(all, choose_addresses(ips({1, 2, 3, 4, 5}), 5, all));
  config::Endpoint first = *all[0].address;
  for (uint32_t last = 6; last < 60; ++last) {
    auto answer = ips({last, 1, 2, 3, 4, 5, last + 1});
    EXPECT_EQ(choose_addresses(answer, answer.size(), all)[0], first);
  }
  EXPECT_NE(choose_addresses(ips({7, 8}), 2, all)[0], first);
  EXPECT_EQ(choose_addresses({}, 0, all)[0], std::nullopt);
}

TEST(AddressChoice, WhatIsHeldIsForWhoHasIt) {
  auto all = holders(2);
  all[0].address = ip(9).with_port(80);
  // 9 is in the answer no more.
  auto chosen = choose_addresses(ips({1, 9}), 1, all);
  EXPECT_EQ(chosen[0], ip(9).with_port(80));
  EXPECT_EQ(chosen[1], ip(1).with_port(80));
}

TEST(AddressChoice, WhoSharesMovesToWhatNobodyHas) {
  auto all = holders(3);
  take(all, choose_addresses(ips({1}), 1, all));
  EXPECT_EQ(counts(all).size(), 1u);
  take(all, choose_addresses(ips({1, 2, 3}), 3, all));
  EXPECT_EQ(counts(all).size(), 3u);
}

// Whatever comes and goes: who has an address that is there keeps it, unless it is shared and another is free; all have
// one; no address has two more than another that nobody had to keep.
TEST(AddressChoice, HoldsThroughAnyAnswers) {
  unsigned seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 300; ++round) {
    auto all = holders(1 + random() % 12);
    for (int step = 0; step < 20; ++step) {
      std::vector<config::Endpoint> answer;
      for (uint32_t last = 1; last < 12; ++last) {
        if (random() % 2 == 0) answer.push_back(ip(last));
      }
      std::ranges::shuffle(answer, random);
      auto before = counts(all);
      auto chosen = choose_addresses(answer, answer.size(), all);
      std::set<config::Endpoint> used;
      for (size_t i = 0; i < all.size(); ++i) {
        ASSERT_EQ(chosen[i].has_value(), !answer.empty());
        if (chosen[i]) used.insert(*chosen[i]);
        bool is_there = all[i].address && std::ranges::find(answer, all[i].address->with_port(0)) != answer.end();
        if (is_there && before[*all[i].address] == 1) ASSERT_EQ(chosen[i], all[i].address);
      }
      ASSERT_EQ(used.size(), std::min(answer.size(), all.size()));
      take(all, chosen);
    }
  }
}

}  // namespace
}  // namespace fairlead::store
