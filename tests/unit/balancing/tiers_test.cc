// Picks among tiers of servers that are preferred alike, and among servers that start slowly.
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>

#include "balancing/balancer.h"
#include "members.h"

namespace fairlead::balancing {
namespace {

using config::Algorithm;
using config::TierShares;
using config::Uid;

constexpr std::array kAll = {Algorithm::kRoundRobin, Algorithm::kRandom,  Algorithm::kStaticRoundRobin,
                             Algorithm::kFirst,      Algorithm::kSticky,  Algorithm::kLeastConnections,
                             Algorithm::kPeakEwma,   Algorithm::kPrequal, Algorithm::kHash};

struct Loads {
  uint32_t operator()(const config::Server& server) const {
    auto at = in_flight.find(server.metadata.uid);
    return at == in_flight.end() ? 0 : at->second;
  }
  bool is_full(const config::Server& server) const { return full.contains(server.metadata.uid); }
  config::Duration now() const { return time; }

  std::map<Uid, uint32_t> in_flight;
  std::set<Uid> full;
  config::Duration time{};
};

class TiersOf : public testing::TestWithParam<Algorithm> {
 protected:
  // Two servers in the first tier, three in the second, and a backup.
  void SetUp() override {
    for (int i = 0; i < 6; ++i) members_.add();
    backend_ = members_.snapshot(GetParam());
    backend_.eligible = servers({1, 2});
    backend_.share = TierShares::kWhole;
    backend_.further.push_back({2, 0, servers({3, 4, 5})});
    backend_.further.push_back({config::kBackupRank, 0, servers({6})});
  }
  config::EligibleServers servers(const std::vector<Uid>& uids) {
    config::EligibleServers result;
    result.keep_by_age(config::goes_by_age(GetParam()));
    for (Uid uid : uids) result.upsert(members_.find(uid));
    return result;
  }
  Uid pick(Tried tried = {}) {
    const config::Server* server = balancer_.pick(backend_, random_, loads_, tried, random_.next());
    return server ? server->metadata.uid : 0;
  }
  std::map<Uid, int> count(int picks, Tried tried = {}) {
    std::map<Uid, int> counts;
    for (int i = 0; i < picks; ++i) ++counts[pick(tried)];
    return counts;
  }
  static int in(const std::map<Uid, int>& counts, const std::vector<Uid>& uids) {
    int sum = 0;
    for (Uid uid : uids) sum += counts.contains(uid) ? counts.at(uid) : 0;
    return sum;
  }

  Members members_;
  config::BackendSnapshot backend_;
  Loads loads_;
  base::Random random_{7};
  Balancer balancer_;
};

INSTANTIATE_TEST_SUITE_P(Algorithms, TiersOf, testing::ValuesIn(kAll),
                         [](const auto& test) { return "Algorithm" + std::to_string(static_cast<int>(test.param)); });

TEST_P(TiersOf, EachTierHasItsShare) {
  EXPECT_EQ(in(count(1'000), {1, 2}), 1'000);
  backend_.share = TierShares::kWhole / 10 * 7;
  backend_.further[0].share = TierShares::kWhole - backend_.share;
  auto counts = count(10'000);
  if (config::goes_by_age(GetParam())) {
    EXPECT_EQ(in(counts, {1, 2}), 10'000) << "as long as there is one";
    return;
  }
  EXPECT_NEAR(in(counts, {1, 2}), 7'000, 100);
  EXPECT_NEAR(in(counts, {3, 4, 5}), 3'000, 100);
}

TEST_P(TiersOf, WhatATierCannotTakeGoesToTheNextButNotToBackups) {
  loads_.full = {1, 2};
  EXPECT_EQ(in(count(300), {3, 4, 5}), 300);
  std::array<Uid, 2> tried = {1, 2};
  loads_.full = {};
  EXPECT_EQ(in(count(300, tried), {3, 4, 5}), 300);
  loads_.full = {1, 2, 3, 4, 5};
  EXPECT_EQ(pick(), 0u);
  std::array<Uid, 5> all_tried = {1, 2, 3, 4, 5};
  loads_.full = {};
  EXPECT_EQ(in(count(300, all_tried), {6}), 0) << "again one that was tried";
}

TEST_P(TiersOf, BackupsServeWhenTheyAreAllThereIs) {
  backend_.eligible = servers({6});
  backend_.rank = config::kBackupRank;
  backend_.further.clear();
  EXPECT_EQ(in(count(100), {6}), 100);
}

using HashedTiersOf = TiersOf;
INSTANTIATE_TEST_SUITE_P(Algorithms, HashedTiersOf, testing::Values(Algorithm::kHash));

TEST_P(HashedTiersOf, AKeyKeepsItsServerWhateverIsPickedBetween) {
  backend_.share = TierShares::kWhole / 2;
  backend_.further[0].share = TierShares::kWhole / 2;
  std::map<uint64_t, Uid> known;
  for (int i = 0; i < 5'000; ++i) {
    uint64_t key = random_.below(500);
    Uid uid = balancer_.pick(backend_, random_, loads_, {}, key)->metadata.uid;
    ASSERT_EQ(known.try_emplace(key, uid).first->second, uid);
  }
}

void start_slowly(config::BackendSnapshot& backend) {
  auto settings = base::make_ref<config::Backend>(*backend.settings);
  settings->slow_start.window = std::chrono::seconds(100);
  backend.settings = settings;
}

class SlowStartOf : public TiersOf {
 protected:
  // Ten servers, of which the last one has begun at time 0.
  void SetUp() override {
    for (int i = 0; i < 10; ++i) members_.add();
    backend_ = members_.snapshot(GetParam());
    start_slowly(backend_);
    backend_.starting.set(members_.find(10)->slot, config::Duration::zero());
  }
};

INSTANTIATE_TEST_SUITE_P(Algorithms, SlowStartOf,
                         testing::Values(Algorithm::kRoundRobin, Algorithm::kStaticRoundRobin, Algorithm::kRandom,
                                         Algorithm::kHash),
                         [](const auto& test) { return "Algorithm" + std::to_string(static_cast<int>(test.param)); });

TEST_P(SlowStartOf, TheShareGrowsToAFullOne) {
  for (int second : {0, 25, 50, 75, 100, 200}) {
    loads_.time = std::chrono::seconds(second);
    auto counts = count(50'000);
    double part = std::clamp(second / 100.0, 0.1, 1.0);
    // What it does not take the others do.
    double expected = 50'000.0 / (9 + part) * part;
    EXPECT_NEAR(counts[10], expected, 0.15 * expected + 50) << second << " s";
    for (Uid uid = 1; uid <= 9; ++uid) EXPECT_NEAR(counts[uid], 50'000 / (9 + part), 600);
  }
}

TEST_P(SlowStartOf, WhereAllBeginTheyShare) {
  for (Uid uid = 1; uid <= 10; ++uid) backend_.starting.set(members_.find(uid)->slot, config::Duration::zero());
  auto counts = count(10'000);
  for (Uid uid = 1; uid <= 10; ++uid) EXPECT_NEAR(counts[uid], 1'000, 250);
}

TEST(SlowStart, TheLeastLoadedIsNotTheNewOneForLong) {
  Members members;
  Loads loads;
  for (int i = 0; i < 10; ++i) loads.in_flight[members.add()] = 20;
  auto backend = members.snapshot(Algorithm::kLeastConnections);
  start_slowly(backend);
  backend.starting.set(members.find(10)->slot, config::Duration::zero());
  loads.in_flight[10] = 0;
  base::Random random(1);
  Balancer balancer;
  int until_full = 0;
  while (balancer.pick(backend, random, loads)->metadata.uid == 10) ++loads.in_flight[10], ++until_full;
  EXPECT_EQ(until_full, 2) << "a tenth of what the others have";
  loads.time = std::chrono::seconds(50);
  while (balancer.pick(backend, random, loads)->metadata.uid == 10) ++loads.in_flight[10], ++until_full;
  EXPECT_EQ(until_full, 10);
}

TEST(SlowStart, APartOfALimitIsNeverNone) {
  EXPECT_EQ(limit_of(0.1, 5), 1u);
  EXPECT_EQ(limit_of(0.5, 3), 2u);
  EXPECT_EQ(limit_of(0.5, 4), 2u);
  EXPECT_EQ(limit_of(1, 7), 7u);
  EXPECT_EQ(limit_of(0.3, 0), 0u) << "no limit";
}

TEST(SlowStart, LoadCountsAsIfThereWereMoreOfIt) {
  Members members;
  members.add();
  auto backend = members.snapshot(Algorithm::kLeastConnections);
  start_slowly(backend);
  backend.starting.set(members.find(1)->slot, config::Duration::zero());
  base::Random random(1);
  SlowStart slow_start(backend, std::chrono::seconds(10), random, std::nullopt);
  // The next one would be the first of ten.
  EXPECT_EQ(slow_start.scaled(*members.find(1), 0), 9u);
  EXPECT_EQ(slow_start.scaled(*members.find(1), 2), 29u);
}

TEST(SlowStart, OtherKeysComeToEachServerFirst) {
  Members members;
  members.add();
  members.add();
  auto backend = members.snapshot(Algorithm::kHash);
  start_slowly(backend);
  for (Uid uid : members.uids()) backend.starting.set(members.find(uid)->slot, config::Duration::zero());
  base::Random random(1);
  int one = 0, both = 0;
  for (uint64_t key = 0; key < 10'000; ++key) {
    SlowStart slow_start(backend, std::chrono::seconds(30), random, base::split_mix(key));
    const bool admits_first = slow_start.admits(*members.find(1));
    one += admits_first;
    both += admits_first && slow_start.admits(*members.find(2));
  }
  EXPECT_NEAR(one, 3'000, 200);
  EXPECT_NEAR(both, 900, 150);
}

TEST(SlowStart, KeysComeOneAfterTheOtherAndNoneGoesBack) {
  Members members;
  for (int i = 0; i < 10; ++i) members.add();
  auto backend = members.snapshot(Algorithm::kHash);
  start_slowly(backend);
  backend.starting.set(members.find(10)->slot, config::Duration::zero());
  base::Random random(1);
  Balancer balancer;
  Loads loads;
  std::set<uint64_t> there;
  for (int second = 0; second <= 100; second += 10) {
    loads.time = std::chrono::seconds(second);
    std::set<uint64_t> now;
    for (uint64_t key = 0; key < 5'000; ++key) {
      uint64_t hash = base::split_mix(key);
      if (balancer.pick(backend, random, loads, {}, hash)->metadata.uid == 10) now.insert(key);
    }
    EXPECT_TRUE(std::ranges::includes(now, there)) << second << " s";
    if (second > 10) EXPECT_GT(now.size(), there.size());
    there = std::move(now);
  }
}

}  // namespace
}  // namespace fairlead::balancing
