#include "balancing/round_robin.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>

#include "members.h"

namespace fairlead::balancing {
namespace {

using config::Uid;
using Counts = std::map<Uid, uint64_t>;

constexpr uint16_t kDefaultWeight = 3;

// One worker that picks.
struct Worker {
  explicit Worker(uint64_t seed) : random(seed) {}
  Uid pick(const Members& members) {
    const config::Server* server = round_robin.pick(members.eligible(), kDefaultWeight, random);
    return server ? server->metadata.uid : 0;
  }
  Counts pick_many(const Members& members, uint64_t picks) {
    Counts counts;
    for (uint64_t i = 0; i < picks; ++i) ++counts[pick(members)];
    return counts;
  }
  base::Random random;
  RoundRobin round_robin;
};

// What remains of `weights` where a weight of 0 takes nothing.
Counts without_zeros(Counts weights) {
  std::erase_if(weights, [](const auto& entry) { return entry.second == 0; });
  return weights;
}

std::optional<uint16_t> draw_weight(base::Random& random) {
  constexpr std::array<int, 7> kWeights = {-1, 0, 1, 2, 10, 100, 256};
  int weight = kWeights[random.below(kWeights.size())];
  if (weight < 0) return std::nullopt;
  return static_cast<uint16_t>(weight);
}

class RoundRobinSeeds : public testing::TestWithParam<uint64_t> {
 protected:
  RoundRobinSeeds() : trace_(__FILE__, __LINE__, testing::Message() << "seed " << GetParam()), random_(GetParam()) {}

  testing::ScopedTrace trace_;
  base::Random random_;
};
INSTANTIATE_TEST_SUITE_P(Seeds, RoundRobinSeeds, testing::Range<uint64_t>(1, 9));

TEST(RoundRobin, HasNobodyToPickAmongNobody) {
  Members members;
  Worker worker(1);
  EXPECT_EQ(worker.pick(members), 0u);
  members.add(0);
  EXPECT_EQ(worker.pick(members), 0u);
}

TEST(RoundRobin, TheHeaviestAndTheLightestGetTheirShares) {
  Members members;
  Uid heavy = members.add(256);
  Uid light = members.add(1);
  Uid none = members.add(0);
  Counts counts = Worker(1).pick_many(members, 257 * 3);
  EXPECT_EQ(counts[heavy], 256u * 3);
  EXPECT_EQ(counts[light], 3u);
  EXPECT_FALSE(counts.contains(none));
}

TEST_P(RoundRobinSeeds, EachServerGetsExactlyItsWeightInEachCycle) {
  Members members;
  for (int i = 0; i < 40; ++i) members.add_at(static_cast<config::Slot>(i * i * 7), draw_weight(random_));
  Counts weights = members.weights(kDefaultWeight);
  Worker worker(GetParam());
  for (int cycle = 0; cycle < 5; ++cycle) {
    ASSERT_EQ(worker.pick_many(members, total_of(weights)), without_zeros(weights)) << "cycle " << cycle;
  }
}

// Of whom turns are taken ahead.
TEST_P(RoundRobinSeeds, AmongVeryManyAsAmongFew) {
  Members members;
  for (int i = 0; i < 1'500; ++i) members.add(draw_weight(random_));
  const Counts weights = members.weights(kDefaultWeight);
  Worker worker(GetParam());
  for (int cycle = 0; cycle < 2; ++cycle) {
    ASSERT_EQ(worker.pick_many(members, total_of(weights)), without_zeros(weights)) << "cycle " << cycle;
  }
  // Whoever goes, or weighs nothing any more, is not picked again, whatever was ahead.
  std::map<Uid, uint64_t> left = weights;
  for (int change = 0; change < 400; ++change) {
    const Uid next = Worker(worker).pick(members);
    if (change % 2 == 0) {
      members.remove(next);
      left.erase(next);
    } else {
      members.set_weight(next, 0);
      left[next] = 0;
    }
    for (int i = 0; i < 8; ++i) ASSERT_GT(left[worker.pick(members)], 0u) << change;
  }
}

TEST(RoundRobin, WhoeverWeighsNothingByTheDefaultIsNotPickedThoughItsTurnWasNext) {
  Members members;
  for (int i = 0; i < 2'000; ++i) members.add(i % 2 == 0 ? std::nullopt : std::optional<uint16_t>(2));
  Worker worker(1);
  for (int change = 0; change < 100; ++change) {
    worker.pick_many(members, 3);
    for (int i = 0; i < 6; ++i) {
      const config::Server* server = worker.round_robin.pick(members.eligible(), 0, worker.random);
      ASSERT_TRUE(server->weight.has_value()) << change;
    }
  }
}

TEST_P(RoundRobinSeeds, AfterEachAdditionEverybodyGetsItsShare) {
  Members members;
  Worker worker(GetParam());
  for (int i = 0; i < 30; ++i) {
    members.add(draw_weight(random_));
    Counts weights = without_zeros(members.weights(kDefaultWeight));
    if (weights.empty()) continue;
    // Credit that is left from before may shift one pick of a class into the cycle or out of it.
    Counts counts = worker.pick_many(members, total_of(weights));
    for (const auto& [uid, weight] : weights) {
      ASSERT_LE(std::max(counts[uid], weight) - std::min(counts[uid], weight), 1u) << i << " servers, server " << uid;
    }
  }
}

TEST_P(RoundRobinSeeds, SharesHoldWhileMembersChange) {
  Members members;
  Worker worker(GetParam());
  for (int i = 0; i < 20; ++i) members.add(draw_weight(random_));
  std::map<Uid, double> expected;
  Counts counts;
  for (int change = 0; change < 20'000; ++change) {
    // Half of the servers stay, so that there is a long run to look at.
    std::vector<Uid> uids = members.uids();
    Uid uid = uids[random_.below(uids.size())];
    if (random_.below(2) == 0 && uids.size() < 40) {
      members.add(draw_weight(random_));
    } else if (uid > 10) {
      members.remove(uid);
    }
    Counts weights = members.weights(kDefaultWeight);
    for (const auto& [server, weight] : weights) {
      expected[server] += 100.0 * static_cast<double>(weight) / static_cast<double>(total_of(weights));
    }
    for (const auto& [server, picks] : worker.pick_many(members, 100)) counts[server] += picks;
  }
  // A class has more turns while it has more members, so a sweep meets more guests than there are on average, where
  // these stay for less than a sweep: of the lightest, whose sweeps are longest, up to four percent.
  for (Uid server = 1; server <= 10; ++server) {
    const bool has_short_sweeps = members.weights(kDefaultWeight)[server] >= 3;
    const double tolerance = expected[server] * (has_short_sweeps ? 0.015 : 0.04);
    EXPECT_NEAR(static_cast<double>(counts[server]), expected[server], tolerance) << server;
  }
}

// The weights change as well, so that classes appear and go and shares jump by orders of magnitude.
TEST_P(RoundRobinSeeds, SharesHoldWhileWeightsChange) {
  Members members;
  Worker worker(GetParam());
  for (int i = 0; i < 12; ++i) members.add(draw_weight(random_));
  std::map<Uid, double> expected;
  Counts counts;
  for (int change = 0; change < 10'000; ++change) {
    members.set_weight(1 + random_.below(12), draw_weight(random_));
    Counts weights = members.weights(kDefaultWeight);
    uint64_t total = total_of(weights);
    if (total == 0) continue;
    for (const auto& [server, weight] : weights) {
      expected[server] += 100.0 * static_cast<double>(weight) / static_cast<double>(total);
    }
    for (const auto& [server, picks] : worker.pick_many(members, 100)) counts[server] += picks;
  }
  for (Uid server = 1; server <= 12; ++server) {
    EXPECT_NEAR(static_cast<double>(counts[server]), expected[server], expected[server] * 0.03) << server;
  }
}

TEST(RoundRobin, ALightServerIsPickedHoweverOftenOthersChange) {
  Members members;
  Uid light = members.add(1);
  Uid heavy = members.add(200);
  std::optional<Uid> guest;
  Worker worker(1);
  uint64_t picked = 0;
  for (int i = 0; i < 25'700; ++i) {
    if (guest) {
      members.remove(*guest), guest.reset();
    } else {
      guest = members.add(static_cast<uint16_t>(1 + i % 256));
    }
    members.set_weight(heavy, static_cast<uint16_t>(200 + i % 3));
    picked += worker.pick(members) == light;
  }
  // Its share is between 1/202 and 1/459.
  EXPECT_GE(picked, 25'700u / 459);
  EXPECT_LE(picked, 25'700u / 200);
}

TEST(RoundRobin, ALightServerIsPickedHoweverOftenItGoesAndComesBack) {
  for (uint64_t stay : {1, 7, 100}) {
    Members members;
    members.add(255);
    Worker worker(stay);
    uint64_t picked = 0;
    constexpr uint64_t kVisits = 25'600;
    for (uint64_t visit = 0; visit < kVisits; ++visit) {
      Uid light = members.add(1);
      for (uint64_t i = 0; i < stay; ++i) picked += worker.pick(members) == light;
      members.remove(light);
      worker.pick(members);
    }
    double share = static_cast<double>(kVisits * stay) / 256;
    EXPECT_NEAR(static_cast<double>(picked), share, share * 0.03) << stay;
  }
}

// Whoever goes had more credit than the one that stays, so that what credit is counted from sinks and sinks.
TEST(RoundRobin, WhatIsLeftOfLongAgoIsNotMoreThanAPick) {
  Members members;
  const Uid staying = members.add(100);
  Worker worker(5);
  for (uint16_t weight = 101; weight < 200; ++weight) {
    const Uid guest = members.add(weight);
    while (worker.pick(members) != staying) {
    }
    members.remove(guest);
    worker.pick(members);
  }
  // One with a weight that was there at first, and one with a weight that never was.
  for (uint16_t weight : {101, 99}) {
    const Uid guest = members.add(weight);
    int picked = 0;
    for (int i = 0; i < 20; ++i) picked += worker.pick(members) == staying;
    EXPECT_NEAR(picked, 10, 2) << weight;
    members.remove(guest);
  }
}

TEST(RoundRobin, ASweepMeetsEachServerOnceHoweverManyComeAndGo) {
  Members members;
  Worker worker(3);
  base::Random random(3);
  std::vector<Uid> staying;
  for (config::Slot slot = 0; slot < 50; ++slot) staying.push_back(members.add_at(slot * 2, 1));
  std::optional<Uid> guest;
  std::map<Uid, int> last;
  // The guest takes a free slot among the others: at most every second pick.
  for (int i = 0; i < 20'000; ++i) {
    if (guest) members.remove(*guest);
    guest = members.add_at(static_cast<config::Slot>(random.below(50) * 2 + 1), 1);
    Uid picked = worker.pick(members);
    ASSERT_NE(picked, 0u);
    last[picked] = i;
    if (i < 100) continue;
    for (Uid uid : staying) ASSERT_LE(i - last[uid], 100) << uid;
  }
}

TEST(RoundRobin, WorkersStartAnywhere) {
  Members members;
  for (int i = 0; i < 10; ++i) members.add();
  Counts counts;
  for (uint64_t seed = 0; seed < 2'000; ++seed) ++counts[Worker(seed).pick(members)];
  for (Uid uid : members.uids()) {
    EXPECT_GT(counts[uid], 150u);
    EXPECT_LT(counts[uid], 250u);
  }
}

TEST(RoundRobin, WorkersStartAnywhereAmongClasses) {
  Members members;
  Uid heavy = members.add(3);
  members.add(1);
  int heavy_first = 0;
  for (uint64_t seed = 0; seed < 2'000; ++seed) heavy_first += Worker(seed).pick(members) == heavy;
  EXPECT_NEAR(heavy_first, 1'500, 100);
}

TEST(RoundRobin, ADefaultWeightCountsForThoseWithoutTheirOwn) {
  Members members;
  Uid plain = members.add();
  Uid own = members.add(2);
  base::Random random(1);
  RoundRobin round_robin;
  auto share = [&](uint16_t default_weight) {
    int count = 0;
    for (int i = 0; i < 1'000; ++i) {
      count += round_robin.pick(members.eligible(), default_weight, random)->metadata.uid == plain;
    }
    return count;
  };
  EXPECT_NEAR(share(2), 500, 1);
  EXPECT_NEAR(share(8), 800, 1);
  EXPECT_EQ(share(0), 0);
  EXPECT_NEAR(share(8), 800, 1);
  members.remove(own);
  EXPECT_EQ(share(8), 1'000);
  EXPECT_EQ(round_robin.pick(members.eligible(), 0, random), nullptr);
}

}  // namespace
}  // namespace fairlead::balancing
