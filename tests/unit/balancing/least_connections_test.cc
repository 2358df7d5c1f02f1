#include "balancing/least_connections.h"

#include <gtest/gtest.h>

#include <array>
#include <map>
#include <set>

#include "balancing/balancer.h"
#include "base/random.h"
#include "members.h"

namespace fairlead::balancing {
namespace {

using config::Uid;

constexpr uint16_t kDefaultWeight = 2;

std::optional<uint16_t> draw_weight(base::Random& random) {
  constexpr std::array<int, 6> kWeights = {-1, 0, 1, 3, 10, 256};
  int weight = kWeights[random.below(kWeights.size())];
  if (weight < 0) return std::nullopt;
  return static_cast<uint16_t>(weight);
}

struct World {
  Uid pick(uint16_t default_weight = kDefaultWeight) {
    auto load_of = [this](const config::Server& server) { return loads[server.metadata.uid]; };
    auto allowed = [this](const config::Server& server) { return !refused.contains(server.metadata.uid); };
    const config::Server* server = algorithm.pick_exact(members.eligible(), default_weight, load_of, allowed);
    return server ? server->metadata.uid : 0;
  }
  // Those of which none has less for its weight.
  std::set<Uid> least() {
    std::set<Uid> best;
    auto weights = members.weights(kDefaultWeight);
    for (const auto& [uid, weight] : weights) {
      if (weight == 0 || refused.contains(uid)) continue;
      bool is_least = true;
      for (const auto& [other, other_weight] : weights) {
        if (other_weight == 0 || refused.contains(other)) continue;
        is_least &= loads[uid] * other_weight <= loads[other] * weight;
      }
      if (is_least) best.insert(uid);
    }
    return best;
  }

  Members members;
  LeastConnections algorithm;
  std::map<Uid, uint64_t> loads;
  std::set<Uid> refused;
};

class LeastConnectionsSeeds : public testing::TestWithParam<uint64_t> {
 protected:
  LeastConnectionsSeeds()
      : trace_(__FILE__, __LINE__, testing::Message() << "seed " << GetParam()), random_(GetParam()) {}

  testing::ScopedTrace trace_;
  base::Random random_;
};
INSTANTIATE_TEST_SUITE_P(Seeds, LeastConnectionsSeeds, testing::Range<uint64_t>(1, 9));

TEST(LeastConnections, HasNobodyToPickAmongNobody) {
  World world;
  EXPECT_EQ(world.pick(), 0u);
  world.members.add(0);
  world.members.add();
  EXPECT_EQ(world.pick(0), 0u);
  EXPECT_EQ(world.pick(1), 2u);
  world.refused = {2};
  EXPECT_EQ(world.pick(1), 0u);
}

TEST(LeastConnections, TiesAreTakenInTurn) {
  World world;
  for (int i = 0; i < 6; ++i) world.members.add(i % 2 == 0 ? std::optional<uint16_t>(5) : std::nullopt);
  for (int round = 0; round < 5; ++round) {
    std::set<Uid> picked;
    for (int i = 0; i < 6; ++i) picked.insert(world.pick());
    EXPECT_EQ(picked.size(), 6u) << "round " << round;
  }
  // One more anywhere takes that one out of its turn only.
  world.loads[3] = 1;
  for (int round = 0; round < 5; ++round) {
    std::set<Uid> picked;
    for (int i = 0; i < 5; ++i) picked.insert(world.pick());
    EXPECT_EQ(picked.size(), 5u);
    EXPECT_FALSE(picked.contains(3));
  }
}

TEST(LeastConnections, WorkersStartAnywhere) {
  Members members;
  for (int i = 0; i < 8; ++i) members.add();
  auto backend = members.snapshot(config::Algorithm::kLeastConnections);
  auto load = [](const config::Server&) { return 0U; };
  std::set<Uid> first;
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    base::Random random(seed);
    Balancer balancer;
    std::set<Uid> all;
    first.insert(balancer.pick(backend, random, load)->metadata.uid);
    for (int i = 0; i < 8; ++i) all.insert(balancer.pick(backend, random, load)->metadata.uid);
    EXPECT_EQ(all.size(), 8u) << "and then in turn";
  }
  EXPECT_EQ(first.size(), 8u);
}

TEST_P(LeastConnectionsSeeds, IsExactWhileMembersWeightsAndLoadsChange) {
  World world;
  std::vector<Uid> in_flight;
  for (int step = 0; step < 4'000; ++step) {
    std::vector<Uid> uids = world.members.uids();
    uint64_t dice = random_.below(100);
    if (uids.empty() || (dice < 5 && uids.size() < LeastConnections::kExactMax)) {
      world.members.add(draw_weight(random_));
    } else if (dice < 8) {
      world.members.remove(uids[random_.below(uids.size())]);
    } else if (dice < 12) {
      world.members.set_weight(uids[random_.below(uids.size())], draw_weight(random_));
    }
    world.refused.clear();
    if (dice < 20 && !uids.empty()) world.refused.insert(uids[random_.below(uids.size())]);
    for (uint64_t ends = random_.below(3); ends > 0 && !in_flight.empty(); --ends) {
      size_t which = random_.below(in_flight.size());
      --world.loads[in_flight[which]];
      in_flight.erase(in_flight.begin() + static_cast<ptrdiff_t>(which));
    }
    std::set<Uid> expected = world.least();
    Uid picked = world.pick();
    if (expected.empty()) {
      ASSERT_EQ(picked, 0u);
      continue;
    }
    ASSERT_TRUE(expected.contains(picked)) << "step " << step << ", picked " << picked;
    ++world.loads[picked];
    in_flight.push_back(picked);
  }
}

TEST_P(LeastConnectionsSeeds, SharesFollowWeightsWhereRequestsStay) {
  World world;
  for (uint16_t weight : {1, 2, 4, 8, 16}) world.members.add(weight);
  for (int i = 0; i < 31 * 100; ++i) ++world.loads[world.pick()];
  for (const auto& [uid, weight] : world.members.weights(kDefaultWeight)) EXPECT_EQ(world.loads[uid], weight * 100);
}

}  // namespace
}  // namespace fairlead::balancing
