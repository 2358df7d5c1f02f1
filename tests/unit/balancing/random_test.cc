#include "balancing/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <vector>

#include "chi_square.h"
#include "members.h"

namespace fairlead::balancing {
namespace {

using config::Uid;

uint64_t no_load(const config::Server&) { return 0; }

TEST(Random, HasNobodyToPickAmongNobody) {
  Members members;
  base::Random random(1);
  EXPECT_EQ(pick_best_of(2, members.eligible(), 1, random, no_load), nullptr);
  members.add();
  EXPECT_EQ(pick_best_of(2, members.eligible(), 0, random, no_load), nullptr);
  EXPECT_NE(pick_best_of(2, members.eligible(), 1, random, no_load), nullptr);
}

TEST(Random, DrawsByWeightAfterEachAddition) {
  base::Random random(2);
  Members members;
  constexpr uint16_t kDefaultWeight = 4;
  for (std::optional<uint16_t> weight : {std::optional<uint16_t>{}, {1}, {4}, {0}, {256}, {}, {1}, {64}}) {
    members.add(weight);
    std::map<Uid, uint64_t> counts;
    constexpr uint64_t kPicks = 200'000;
    for (uint64_t i = 0; i < kPicks; ++i) {
      ++counts[pick_best_of(2, members.eligible(), kDefaultWeight, random, no_load)->metadata.uid];
    }
    auto weights = members.weights(kDefaultWeight);
    for (const auto& [uid, own] : weights) {
      double expected = static_cast<double>(kPicks * own) / static_cast<double>(total_of(weights));
      EXPECT_NEAR(static_cast<double>(counts[uid]), expected, expected * 0.03 + 4 * std::sqrt(expected)) << uid;
    }
  }
}

// As long as nobody has any load, the first of two draws is taken: shares are the weights.
TEST(Random, SharesAreTheWeightsWhileMembersComeAndGo) {
  for (unsigned draws : {1, 2}) {
    for (uint64_t seed = 1; seed <= 8; ++seed) {
      SCOPED_TRACE(testing::Message() << draws << " draws, seed " << seed);
      base::Random random(seed);
      auto draw_weight = [&] { return static_cast<uint16_t>(random.below(3) == 0 ? 256 : 1 + random.below(20)); };
      Members members;
      for (int i = 0; i < 30; ++i) members.add(draw_weight());
      ChiSquare shares;
      for (int change = 0; change < 600; ++change) {
        change_one(members, random, draw_weight);
        shares.expect(members.weights(1), 100);
        for (int i = 0; i < 100; ++i) {
          shares.saw(pick_best_of(draws, members.eligible(), 1, random, no_load)->metadata.uid);
        }
      }
      EXPECT_TRUE(shares.is_plausible()) << shares.text();
    }
  }
}

TEST(Random, ComparesTwoDifferentServers) {
  Members members;
  Uid busy = members.add(256);
  Uid idle = members.add();
  base::Random random(3);
  auto load_of = [busy](const config::Server& server) { return server.metadata.uid == busy ? 1'000u : 0u; };
  for (int i = 0; i < 1'000; ++i) {
    ASSERT_EQ(pick_best_of(2, members.eligible(), 1, random, load_of)->metadata.uid, idle);
  }
}

TEST(Random, TheSecondDrawIsEqualAmongTheOthers) {
  Members members;
  for (int i = 0; i < 5; ++i) members.add(i < 3 ? 2 : 1);
  base::Random random(4);
  for (uint32_t rank = 0; rank < 3; ++rank) {
    const auto first = members.eligible().places_at(2 * rank, 1);  // those without a weight of their own come first
    std::map<Uid, int> counts;
    for (int i = 0; i < 60'000; ++i)
      ++counts[(*members.eligible().find(draw_places(members.eligible(), 1, first, random.next()).slot))->metadata.uid];
    EXPECT_FALSE(counts.contains(rank + 1));
    for (const auto& [uid, count] : counts) EXPECT_NEAR(count, uid <= 3 ? 20'000 : 10'000, 500) << uid;
  }
}

TEST(Random, LoadCountsForItsWeight) {
  Members members;
  Uid strong = members.add(10);
  Uid weak = members.add(1);
  base::Random random(5);
  std::map<Uid, uint64_t> loads{{strong, 50}, {weak, 6}};
  auto load_of = [&loads](const config::Server& server) { return loads[server.metadata.uid]; };
  EXPECT_EQ(pick_best_of(2, members.eligible(), 1, random, load_of)->metadata.uid, strong);
  loads[weak] = 4;
  EXPECT_EQ(pick_best_of(2, members.eligible(), 1, random, load_of)->metadata.uid, weak);
}

TEST(Random, SoDoesALoadThatIsALogarithm) {
  Members members;
  Uid strong = members.add(10);
  members.add(1);
  base::Random random(5);
  double weak_load = 6;
  auto load_of = [&](const config::Server& server) {
    return Log2{std::log2(server.metadata.uid == strong ? 50 : weak_load)};
  };
  EXPECT_EQ(pick_best_of(2, members.eligible(), 1, random, load_of)->metadata.uid, strong);
  weak_load = 4;
  EXPECT_NE(pick_best_of(2, members.eligible(), 1, random, load_of)->metadata.uid, strong);
}

TEST(Random, OneDrawAsksNobodyForItsLoad) {
  Members members;
  base::Random random(9);
  auto load_of = [](const config::Server&) -> uint64_t {
    ADD_FAILURE();
    return 0;
  };
  for (uint16_t weight : {3, 3, 5}) {
    members.add(weight);
    for (int i = 0; i < 100; ++i) EXPECT_NE(pick_best_of(1, members.eligible(), 1, random, load_of), nullptr);
  }
}

TEST(Random, MoreDrawsFindTheIdleOneMoreOften) {
  Members members;
  for (int i = 0; i < 9; ++i) members.add();
  Uid idle = members.add();
  base::Random random(7);
  auto load_of = [idle](const config::Server& server) { return server.metadata.uid == idle ? 0u : 5u; };
  // Each draw is among all but the best so far.
  for (auto [draws, share] : {std::pair{1u, 0.1}, {2u, 0.2}, {4u, 1 - 0.9 * std::pow(8.0 / 9, 3)}, {16u, 0.85}}) {
    int hits = 0;
    for (int i = 0; i < 20'000; ++i) {
      hits += pick_best_of(draws, members.eligible(), 1, random, load_of)->metadata.uid == idle;
    }
    EXPECT_NEAR(hits, 20'000 * share, 600) << draws << " draws";
  }
}

// The theorem that the algorithm stands on: n balls in n bins leave a bin with about ln n / ln ln n of them where they
// are thrown at random (6 or more here), and ln ln n / ln 2 with two choices.
TEST(Random, KeepsTheLongestQueueShort) {
  Members members;
  constexpr int kServers = 2'000;
  for (int i = 0; i < kServers; ++i) members.add();
  base::Random random(6);
  std::vector<uint32_t> loads(kServers + 1);
  auto load_of = [&loads](const config::Server& server) { return loads[server.metadata.uid]; };
  for (int i = 0; i < kServers; ++i) {
    ++loads[pick_best_of(2, members.eligible(), 1, random, load_of)->metadata.uid];
  }
  EXPECT_LE(*std::ranges::max_element(loads), 4u);
}

// Numbers that are drawn ahead are the same numbers, a few picks later.
TEST(BestOfMany, PicksAsBestOfFewDoesWhileMembersComeAndGo) {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Members members;
    base::Random changes(seed);
    for (uint64_t i = 0; i < BestOfMany::kFew + 20; ++i) {
      members.add(seed % 2 == 0 ? std::nullopt : std::optional<uint16_t>(1 + changes.below(3)));
    }
    std::vector<uint32_t> loads(4 * BestOfMany::kFew);
    auto load_of = [&loads](const config::Server& server) { return loads[server.metadata.uid % loads.size()]; };
    base::Random random(seed);
    base::Random plain_random(seed);
    BestOfMany best_of_many;
    for (int step = 0; step < 1'000; ++step) {
      if (step % 8 == 0) {
        std::vector<Uid> uids = members.uids();
        members.remove(uids[changes.below(uids.size())]);
        members.add_at(static_cast<config::Slot>(5'000 + step), std::nullopt);
      }
      loads[changes.below(loads.size())] = static_cast<uint32_t>(changes.below(10));
      const config::Server* expected = pick_best_of(2, members.eligible(), 1, plain_random, load_of);
      ASSERT_EQ(best_of_many.pick(2, members.eligible(), 1, random, load_of), expected) << "step " << step;
    }
  }
}

// Where weights differ, draws are made ahead as long as nobody comes or goes.
TEST(BestOfMany, SharesAreTheWeightsWhileMembersComeAndGo) {
  for (uint64_t seed = 1; seed <= 4; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Members members;
    base::Random random(seed);
    auto draw_weight = [&] { return static_cast<uint16_t>(1 + random.below(256)); };
    for (uint64_t i = 0; i < BestOfMany::kFew + 40; ++i) members.add(draw_weight());
    BestOfMany best_of_many;
    ChiSquare shares;
    for (int change = 0; change < 60; ++change) {
      const std::vector<Uid> uids = members.uids();
      const Uid one = uids[random.below(uids.size())];
      if (change % 3 == 0) members.remove(one);
      if (change % 3 == 1) members.add(draw_weight());
      if (change % 3 == 2) members.set_weight(one, draw_weight());
      const uint64_t picks = 5 + random.below(3'000);
      shares.expect(members.weights(1), picks);
      for (uint64_t i = 0; i < picks; ++i) {
        shares.saw(best_of_many.pick(2, members.eligible(), 1, random, no_load)->metadata.uid);
      }
    }
    EXPECT_TRUE(shares.is_plausible()) << shares.text();
  }
}

TEST(BestOfMany, ComparesTwoDifferentServers) {
  Members members;
  const Uid heavy = members.add(256);
  for (uint64_t i = 0; i < BestOfMany::kFew; ++i) members.add(1);
  base::Random random(3);
  std::vector<Uid> asked;
  auto load_of = [&asked](const config::Server& server) {
    asked.push_back(server.metadata.uid);
    return 0u;
  };
  BestOfMany best_of_many;
  int heavies = 0;
  for (int i = 0; i < 20'000; ++i) {
    asked.clear();
    best_of_many.pick(2, members.eligible(), 1, random, load_of);
    ASSERT_EQ(asked.size(), 2u);
    ASSERT_NE(asked[0], asked[1]) << i;
    heavies += asked[0] == heavy || asked[1] == heavy;
  }
  // It is the first, or else the second.
  EXPECT_NEAR(heavies, 20'000 * (0.2 + 0.8 * 0.2), 300);
}

TEST(BestOfMany, EachDrawIsANewOne) {
  Members members;
  constexpr uint64_t kServers = 2 * BestOfMany::kFew;
  for (uint64_t i = 0; i < kServers; ++i) members.add();
  base::Random random(9);
  BestOfMany best_of_many;
  auto load_of = [](const config::Server& server) { return server.metadata.uid; };
  // The least of so many uniform numbers is their number's part of the whole, on average.
  for (uint32_t draws : {2u, 3u, 9u}) {
    double sum = 0;
    constexpr int kPicks = 20'000;
    for (int i = 0; i < kPicks; ++i) {
      sum += static_cast<double>(best_of_many.pick(draws, members.eligible(), 1, random, load_of)->metadata.uid);
    }
    const double expected = static_cast<double>(kServers) / (draws + 1);
    EXPECT_NEAR(sum / kPicks, expected, 0.03 * expected) << draws << " draws";
  }
}

TEST(BestOfMany, IsDrawnByWeightWhateverTheNumberOfDraws) {
  Members members;
  for (uint64_t i = 0; i < 2 * BestOfMany::kFew; ++i) members.add(i % 2 == 0 ? 3 : 1);
  base::Random random(8);
  for (uint32_t draws : {1u, 2u, 5u}) {
    BestOfMany best_of_many;
    int heavy = 0;
    for (int i = 0; i < 40'000; ++i) {
      heavy += best_of_many.pick(draws, members.eligible(), 1, random, no_load)->weight == 3;
    }
    EXPECT_NEAR(heavy, 30'000, 500) << draws << " draws";
  }
}

}  // namespace
}  // namespace fairlead::balancing
