#include "balancing/static_round_robin.h"

#include <gtest/gtest.h>

#include <array>
#include <map>

#include "base/random.h"
#include "members.h"

namespace fairlead::balancing {
namespace {

using config::Uid;
using Counts = std::map<Uid, uint64_t>;

constexpr uint16_t kDefaultWeight = 3;

Uid pick(StaticRoundRobin& order, const Members& members, uint16_t default_weight = kDefaultWeight) {
  const config::Server* server = order.pick(members.eligible(), default_weight);
  return server ? server->metadata.uid : 0;
}

std::optional<uint16_t> draw_weight(base::Random& random) {
  constexpr std::array<int, 7> kWeights = {-1, 0, 1, 2, 10, 100, 256};
  int weight = kWeights[random.below(kWeights.size())];
  if (weight < 0) return std::nullopt;
  return static_cast<uint16_t>(weight);
}

class StaticRoundRobinSeeds : public testing::TestWithParam<uint64_t> {
 protected:
  StaticRoundRobinSeeds()
      : trace_(__FILE__, __LINE__, testing::Message() << "seed " << GetParam()), random_(GetParam()) {}

  testing::ScopedTrace trace_;
  base::Random random_;
};
INSTANTIATE_TEST_SUITE_P(Seeds, StaticRoundRobinSeeds, testing::Range<uint64_t>(1, 9));

TEST(StaticRoundRobin, HasNobodyToPickAmongNobody) {
  Members members;
  StaticRoundRobin order;
  EXPECT_EQ(pick(order, members), 0u);
  Uid zero = members.add(0);
  EXPECT_EQ(pick(order, members), 0u);
  members.add();
  EXPECT_EQ(pick(order, members, 0), 0u);
  members.set_weight(zero, 1);
  EXPECT_EQ(pick(order, members, 0), zero);
}

TEST(StaticRoundRobin, BeginsWithTheFirstAndSpreadsTheHeavyOnes) {
  Members members;
  Uid a = members.add(2);
  Uid b = members.add(1);
  Uid c = members.add(1);
  StaticRoundRobin order;
  std::vector<Uid> picks;
  for (int i = 0; i < 8; ++i) picks.push_back(pick(order, members));
  EXPECT_EQ(picks, (std::vector<Uid>{a, b, c, a, a, b, c, a}));
}

TEST_P(StaticRoundRobinSeeds, EachServerGetsExactlyItsWeightInEachCycle) {
  Members members;
  for (int i = 0; i < 40; ++i) members.add_at(static_cast<config::Slot>(i * i * 7), draw_weight(random_));
  Counts weights = members.weights(kDefaultWeight);
  StaticRoundRobin order;
  for (int cycle = 0; cycle < 5; ++cycle) {
    Counts counts;
    for (uint64_t i = total_of(weights); i > 0; --i) ++counts[pick(order, members)];
    for (const auto& [uid, weight] : weights) ASSERT_EQ(counts[uid], weight) << "cycle " << cycle << ", server " << uid;
  }
}

// Of the plain reference: a list of all rounds, written down.
std::vector<Uid> whole_cycle(const Members& members) {
  std::vector<Uid> cycle;
  for (uint32_t round = 0; round < 256; ++round) {
    members.eligible().classes().for_each([&](uint16_t weight_class, const base::SlotSet& slots) {
      uint32_t weight = weight_class == 0 ? kDefaultWeight : weight_class;
      if ((round + 1) * weight / 256 == round * weight / 256) return;
      slots.for_each([&](config::Slot slot) { cycle.push_back((*members.eligible().find(slot))->metadata.uid); });
    });
  }
  return cycle;
}

TEST_P(StaticRoundRobinSeeds, TwoThatBeginTogetherGoOnTogether) {
  Members members;
  for (int i = 0; i < 12; ++i) members.add(draw_weight(random_));
  members.add(1);
  std::vector<Uid> expected = whole_cycle(members);
  StaticRoundRobin order;
  for (size_t i = 0; i < 2 * expected.size(); ++i) ASSERT_EQ(pick(order, members), expected[i % expected.size()]) << i;
}

TEST_P(StaticRoundRobinSeeds, NobodyStarvesWhileMembersChange) {
  Members members;
  std::vector<Uid> staying;
  for (int i = 0; i < 10; ++i) staying.push_back(members.add(static_cast<uint16_t>(1 + random_.below(4))));
  Counts fixed = members.weights(kDefaultWeight);
  StaticRoundRobin order;
  Counts counts;
  // A cycle is as long as all weights add up to at its time.
  double cycles = 0;
  std::vector<Uid> guests;
  for (uint64_t step = 0; step < 20'000; ++step) {
    if (random_.below(2) == 0 && guests.size() < 20) {
      guests.push_back(members.add(draw_weight(random_)));
    } else if (!guests.empty()) {
      size_t which = random_.below(guests.size());
      if (random_.below(2) == 0) {
        members.set_weight(guests[which], draw_weight(random_));
      } else {
        members.remove(guests[which]);
        guests.erase(guests.begin() + static_cast<ptrdiff_t>(which));
      }
    }
    cycles += 100.0 / static_cast<double>(total_of(members.weights(kDefaultWeight)));
    for (int i = 0; i < 100; ++i) ++counts[pick(order, members)];
  }
  for (Uid uid : staying) {
    double expected = cycles * static_cast<double>(fixed[uid]);
    EXPECT_NEAR(static_cast<double>(counts[uid]), expected, expected * 0.15) << uid;
    // Among those that stay, shares are exact but for the cycle that is under way.
    for (Uid other : staying) {
      EXPECT_LE(counts[uid] * fixed[other],
                counts[other] * fixed[uid] + fixed[uid] * fixed[other] + std::max(fixed[uid], fixed[other]));
    }
  }
}

}  // namespace
}  // namespace fairlead::balancing
