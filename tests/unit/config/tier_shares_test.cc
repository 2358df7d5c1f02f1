#include "config/tier_shares.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>
#include <random>

namespace fairlead::config {
namespace {

using testing::ElementsAre;

constexpr uint32_t kWhole = TierShares::kWhole;

// Of a priority: so many of ten servers of weight 1 are healthy.
TierLoad priority(uint8_t number, uint64_t healthy) {
  return {.rank = static_cast<uint8_t>(2 * number), .wanted = 10, .eligible = healthy, .eligible_count = healthy};
}
TierLoad backups(uint64_t healthy) {
  return {.rank = kBackupRank, .wanted = 10, .eligible = healthy, .eligible_count = healthy};
}
std::vector<int> percent(const TierShares& result) {
  std::vector<int> all;
  for (uint32_t share : result.shares) all.push_back(static_cast<int>((share * 100.0 / kWhole) + 0.5));
  return all;
}

TEST(TierShares, TheFirstTierTakesAllUntilItIsNotGoodForIt) {
  Failover failover;
  EXPECT_THAT(percent(tier_shares({priority(0, 10), priority(1, 10)}, failover)), ElementsAre(100, 0));
  EXPECT_THAT(percent(tier_shares({priority(0, 8), priority(1, 10)}, failover)), ElementsAre(100, 0));
  EXPECT_THAT(percent(tier_shares({priority(0, 5), priority(1, 10)}, failover)), ElementsAre(70, 30));
  EXPECT_THAT(percent(tier_shares({priority(0, 0), priority(1, 10)}, failover)), ElementsAre(0, 100));
  failover.overprovisioning = 100;
  EXPECT_THAT(percent(tier_shares({priority(0, 8), priority(1, 10)}, failover)), ElementsAre(80, 20));
}

TEST(TierShares, WhatAllTogetherCannotTakeIsSharedInProportion) {
  EXPECT_THAT(percent(tier_shares({priority(0, 2), priority(1, 2)}, {})), ElementsAre(50, 50));
  EXPECT_THAT(percent(tier_shares({priority(0, 4), priority(1, 2), priority(2, 0)}, {})), ElementsAre(67, 33, 0));
}

TEST(TierShares, BackupsTakeAllWhenNobodyElseCanTakeAnything) {
  EXPECT_THAT(percent(tier_shares({priority(0, 1), backups(10)}, {})), ElementsAre(100, 0));
  EXPECT_THAT(percent(tier_shares({priority(0, 0), priority(1, 0), backups(1)}, {})), ElementsAre(0, 0, 100));
  EXPECT_THAT(percent(tier_shares({priority(0, 0), backups(0)}, {})), ElementsAre(0, 0));
}

TEST(TierShares, InPanicAllThatAreWantedShareByWeight) {
  Failover failover;
  failover.panic_threshold = 50;
  TierShares calm = tier_shares({priority(0, 5), priority(1, 5)}, failover);
  EXPECT_FALSE(calm.is_panic) << "half is healthy";
  // 42 % and 28 % of what is needed, and together too little.
  TierShares panic = tier_shares({priority(0, 3), priority(1, 2)}, failover);
  EXPECT_TRUE(panic.is_panic);
  EXPECT_THAT(percent(panic), ElementsAre(50, 50));
  // Of twenty nine are healthy, but the second tier is good for all.
  EXPECT_FALSE(tier_shares({priority(0, 0), priority(1, 9)}, failover).is_panic);
  EXPECT_TRUE(tier_shares({priority(0, 0)}, failover).is_panic);
  EXPECT_FALSE(tier_shares({priority(0, 0), backups(1)}, failover).is_panic) << "there is a backup";
  EXPECT_THAT(percent(tier_shares({priority(0, 1), backups(10)}, failover)), ElementsAre(100, 0));
}

TEST(TierShares, FewNearServersShareWithFarOnes) {
  TierLoad near{.rank = 0, .wanted = 1, .eligible = 1, .eligible_count = 1};
  TierLoad far{.rank = 1, .wanted = 9, .eligible = 9, .eligible_count = 9};
  Failover failover;
  failover.zones.prefer_near = true;
  EXPECT_THAT(percent(tier_shares({near, far}, failover)), ElementsAre(100, 0));
  failover.zones.min_near = 2;
  EXPECT_THAT(percent(tier_shares({near, far}, failover)), ElementsAre(10, 90));
}

TEST(TierShares, AreAWholeWhateverIsHealthy) {
  uint32_t seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  auto number = [&](uint64_t below) { return random() % below; };
  for (int i = 0; i < 20'000; ++i) {
    std::vector<TierLoad> tiers;
    for (uint8_t rank = 0; rank <= kBackupRank; ++rank) {
      if (number(12) > 0 && rank != kBackupRank) continue;
      uint64_t wanted = number(4) == 0 ? number(uint64_t{256} << 32) : number(20);
      uint64_t eligible = wanted == 0 ? 0 : number(3) == 0 ? 0 : number(wanted + 1);
      tiers.push_back({rank, wanted, eligible, std::min<uint64_t>(eligible, 5)});
    }
    Failover failover;
    failover.overprovisioning = 100 + number(200);
    failover.panic_threshold = number(101);
    failover.zones.min_near = 1 + number(3);
    TierShares result = tier_shares(tiers, failover);
    uint64_t sum = std::accumulate(result.shares.begin(), result.shares.end(), uint64_t{0});
    uint64_t eligible = 0;
    for (size_t t = 0; t < tiers.size(); ++t) {
      eligible += tiers[t].eligible;
      bool may_take = tiers[t].eligible > 0 || (result.is_panic && tiers[t].wanted > 0);
      if (!may_take) ASSERT_EQ(result.shares[t], 0u);
    }
    if (eligible > 0 || result.is_panic) {
      // What has a whole's 65,536th part of all the weight may have no share.
      ASSERT_EQ(sum, kWhole);
    } else {
      ASSERT_EQ(sum, 0u);
    }
    // A tier is in use only where those before it are not good for all.
    for (size_t t = 1; t < tiers.size() && !result.is_panic; ++t) {
      bool is_far = tiers[t].rank == tiers[t - 1].rank + 1 && tiers[t].rank % 2 == 1;
      if (result.shares[t] == 0 || tiers[t].rank == kBackupRank || is_far) continue;
      for (size_t before = 0; before < t; ++before) {
        if (tiers[before].eligible == 0) continue;
        ASSERT_LT(tiers[before].eligible * *failover.overprovisioning, tiers[before].wanted * 100);
      }
    }
  }
}

TEST(RankOf, IsByPriorityAndZoneAndBackupsComeLast) {
  Server server;
  server.priority = 3;
  server.labels = {{"rack", "1"}, {"zone", "a"}};
  ZonePreference zones;
  EXPECT_EQ(rank_of(server, zones, "a"), 6);
  EXPECT_EQ(rank_of(server, zones, "b"), 6) << "nobody asked for near ones";
  zones.prefer_near = true;
  EXPECT_EQ(rank_of(server, zones, "a"), 6);
  EXPECT_EQ(rank_of(server, zones, "b"), 7);
  EXPECT_EQ(rank_of(server, zones, ""), 6) << "nothing is near";
  zones.label = "rack";
  EXPECT_EQ(rank_of(server, zones, "a"), 7);
  EXPECT_EQ(rank_of(server, zones, "1"), 6);
  server.backup = true;
  EXPECT_EQ(rank_of(server, zones, "1"), kBackupRank);
}

TEST(SlowStartPart, GrowsFromTheLeastToAll) {
  SlowStart settings;
  EXPECT_EQ(settings.part_after(Duration::zero()), 1);
  settings.window = std::chrono::seconds(10);
  EXPECT_DOUBLE_EQ(settings.part_after(-std::chrono::seconds(1)), 0.1);
  EXPECT_DOUBLE_EQ(settings.part_after(Duration::zero()), 0.1);
  EXPECT_DOUBLE_EQ(settings.part_after(std::chrono::seconds(5)), 0.5);
  EXPECT_DOUBLE_EQ(settings.part_after(std::chrono::seconds(10)), 1);
  settings.exponent = 2;
  settings.min_percent = 1;
  EXPECT_DOUBLE_EQ(settings.part_after(std::chrono::seconds(5)), 0.25);
  EXPECT_DOUBLE_EQ(settings.part_after(std::chrono::milliseconds(1)), 0.01);
}

}  // namespace
}  // namespace fairlead::config
