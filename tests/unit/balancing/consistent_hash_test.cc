#include "balancing/consistent_hash.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <map>
#include <set>
#include <vector>

#include "base/random.h"
#include "chi_square.h"
#include "members.h"

namespace fairlead::balancing {
namespace {

using config::Uid;

constexpr uint16_t kDefaultWeight = 3;

bool anybody(const config::Server&) { return true; }

Uid uid_of(const config::Server* server) { return server ? server->metadata.uid : 0; }

Uid pick(const Members& members, uint64_t key) {
  return uid_of(pick_consistent(members.eligible(), kDefaultWeight, key, anybody));
}

// The time of a place for a key, told the long way: everything that happens in its range.
double time_of(uint64_t key, config::Slot place) {
  PlaceRange range(PlaceRange::number_of(place));
  KeyProcess process(key);
  double time = 0;
  for (uint32_t i = 0; i < ConsistentSearch::kArrivalsMax; ++i) {
    KeyProcess::Arrival arrival = process.arrival(range, i);
    time -= std::log(arrival.uniform()) * range.mean_gap;
    if (arrival.place(range) == place) return time;
  }
  return time - std::log(process.uniform_of(place));
}

// Weighted rendezvous hashing: the least time / weight of all.
Uid pick_by_looking_at_all(const Members& members, uint64_t key, const std::set<Uid>& except = {}) {
  Uid best = 0;
  double least = 0;
  for (const auto& [uid, weight] : members.weights(kDefaultWeight)) {
    if (weight == 0 || except.contains(uid)) continue;
    double score = time_of(key, members.find(uid)->slot) / static_cast<double>(weight);
    if (best != 0 && score >= least) continue;
    best = uid;
    least = score;
  }
  return best;
}

std::optional<uint16_t> draw_weight(base::Random& random) {
  constexpr std::array<int, 12> kWeights = {-1, 0, 1, 2, 3, 10, 12, 15, 100, 127, 200, 256};
  int weight = kWeights[random.below(kWeights.size())];
  if (weight < 0) return std::nullopt;
  return static_cast<uint16_t>(weight);
}

// Members that came and went: most at low slots, some far up.
Members draw_members(base::Random& random, uint64_t count) {
  Members members;
  std::set<config::Slot> taken;
  while (taken.size() < count) {
    uint64_t bound = random.below(4) > 0 ? count * 2 : uint64_t{1} << random.below(20);
    auto slot = static_cast<config::Slot>(random.below(bound));
    if (taken.insert(slot).second) members.add_at(slot, draw_weight(random));
  }
  return members;
}

class ConsistentHashSeeds : public testing::TestWithParam<uint64_t> {
 protected:
  ConsistentHashSeeds()
      : trace_(__FILE__, __LINE__, testing::Message() << "seed " << GetParam()), random_(GetParam()) {}

  testing::ScopedTrace trace_;
  base::Random random_;
};
INSTANTIATE_TEST_SUITE_P(Seeds, ConsistentHashSeeds, testing::Range<uint64_t>(1, 9));

TEST(ConsistentHash, RangesAreAllPlaces) {
  config::Slot next = 0;
  for (unsigned number = 0; number < kPlaceRanges.size(); ++number) {
    const PlaceRange& range = kPlaceRanges[number];
    EXPECT_EQ(range.first, next);
    next = range.first + range.size;
    EXPECT_EQ(PlaceRange::number_of(range.first), number);
    EXPECT_EQ(PlaceRange::number_of(next - 1), number);
  }
  EXPECT_EQ(next, 0u) << "2^32";
}

TEST(ConsistentHash, HasNobodyToPickAmongNobody) {
  Members members;
  EXPECT_EQ(pick(members, 1), 0u);
  members.add(0);
  EXPECT_EQ(pick(members, 1), 0u);
  Uid only = members.add(1);
  for (uint64_t key = 0; key < 100; ++key) EXPECT_EQ(pick(members, key), only);
}

TEST_P(ConsistentHashSeeds, IsWeightedRendezvousHashing) {
  for (uint64_t count : {1, 2, 3, 10, 17, 50, 200}) {
    Members members = draw_members(random_, count);
    for (int i = 0; i < 300; ++i) {
      uint64_t key = random_.next();
      ASSERT_EQ(pick(members, key), pick_by_looking_at_all(members, key)) << count << " servers, key " << key;
    }
  }
}

// Which is found in another way: most often without a search.
TEST_P(ConsistentHashSeeds, SoItIsWhereAllWeighTheSame) {
  for (uint64_t count : {1, 2, 3, 5, 10, 15, 16, 17, 20, 63, 64, 65, 100}) {
    for (uint64_t gaps : {0, 1, 3}) {
      Members members;
      config::Slot slot = 0;
      for (uint64_t i = 0; i < count; ++i) {
        slot += static_cast<config::Slot>(random_.below(gaps + 1));
        members.add_at(slot++, std::nullopt);
      }
      for (int i = 0; i < 100; ++i) {
        uint64_t key = random_.next();
        ASSERT_EQ(pick(members, key), pick_by_looking_at_all(members, key)) << count << " servers, key " << key;
      }
    }
  }
}

TEST_P(ConsistentHashSeeds, WhoeverIsNotAllowedIsAsIfItWereNotThere) {
  Members members = draw_members(random_, 30);
  for (int i = 0; i < 300; ++i) {
    uint64_t key = random_.next();
    std::set<Uid> except;
    auto allowed = [&](const config::Server& server) { return !except.contains(server.metadata.uid); };
    for (int next = 0; next < 6; ++next) {
      Uid uid = uid_of(pick_consistent(members.eligible(), kDefaultWeight, key, allowed));
      ASSERT_EQ(uid, pick_by_looking_at_all(members, key, except)) << key;
      except.insert(uid);
    }
  }
}

// The property that all is done for.
TEST_P(ConsistentHashSeeds, OnlyKeysOfWhoeverGoesMoveAndOnlyToWhoeverComes) {
  Members members = draw_members(random_, 100);
  std::vector<uint64_t> keys(1'000);
  for (uint64_t& key : keys) key = random_.next();
  std::map<uint64_t, Uid> holders;
  for (uint64_t key : keys) holders[key] = pick(members, key);
  for (int change = 0; change < 60; ++change) {
    std::vector<Uid> uids = members.uids();
    Uid one = uids[random_.below(uids.size())];
    uint64_t before = members.weights(kDefaultWeight).at(one);
    if (random_.below(3) == 0) {
      members.remove(one);
    } else if (random_.below(2) == 0) {
      members.set_weight(one, draw_weight(random_));
    } else {
      // A few come at once, and the slots may double.
      one = members.add(draw_weight(random_));
      before = 0;
    }
    auto weights = members.weights(kDefaultWeight);
    uint64_t after = weights.contains(one) ? weights.at(one) : 0;
    for (uint64_t key : keys) {
      Uid now = pick(members, key);
      Uid was = std::exchange(holders[key], now);
      if (now == was) continue;
      if (after > before) ASSERT_EQ(now, one) << "change " << change;
      if (after < before) ASSERT_EQ(was, one) << "change " << change;
      ASSERT_NE(after, before) << "change " << change;
    }
  }
}

TEST(ConsistentHash, DoublingMovesHalfAndNothingBetweenThoseThatWereThere) {
  Members members;
  for (int i = 0; i < 512; ++i) members.add();
  std::map<uint64_t, Uid> before;
  base::Random random(7);
  for (int i = 0; i < 20'000; ++i) {
    uint64_t key = random.next();
    before[key] = pick(members, key);
  }
  for (int i = 0; i < 512; ++i) members.add();
  int moved = 0;
  for (const auto& [key, was] : before) {
    Uid now = pick(members, key);
    if (now == was) continue;
    ++moved;
    ASSERT_GT(now, 512u);
  }
  EXPECT_NEAR(moved, 10'000, 300);
}

// Also where slots are nearly empty, be it because most of a million have gone.
TEST_P(ConsistentHashSeeds, SharesAreTheWeights) {
  for (uint64_t spread : {1, 3, 500, 100'000}) {
    Members members;
    for (config::Slot i = 0; i < 20; ++i) {
      members.add_at(static_cast<config::Slot>(i * spread), i % 3 == 0 ? draw_weight(random_) : std::nullopt);
    }
    auto weights = members.weights(kDefaultWeight);
    ChiSquare shares;
    constexpr uint64_t kPicks = 20'000;
    shares.expect(weights, kPicks);
    for (uint64_t i = 0; i < kPicks; ++i) shares.saw(pick(members, random_.next()));
    EXPECT_TRUE(shares.is_plausible()) << shares.text() << " with servers at each " << spread << "th slot";
  }
}

TEST_P(ConsistentHashSeeds, SharesAreTheWeightsWhileMembersComeAndGo) {
  Members members;
  for (int i = 0; i < 30; ++i) members.add(draw_weight(random_));
  ChiSquare shares;
  for (int change = 0; change < 600; ++change) {
    change_one(members, random_, [this] { return draw_weight(random_); });
    shares.expect(members.weights(kDefaultWeight), 100);
    for (int i = 0; i < 100; ++i) shares.saw(pick(members, random_.next()));
  }
  EXPECT_TRUE(shares.is_plausible()) << shares.text();
}

TEST(ConsistentHash, EndsWhereNobodyIsAllowedAmongMany) {
  Members members;
  for (config::Slot slot = 0; slot < 20'000; ++slot) members.add_at(slot, 1);
  int asked = 0;
  auto nobody = [&asked](const config::Server&) { return ++asked, false; };
  for (uint64_t key = 0; key < 10; ++key) {
    asked = 0;
    EXPECT_EQ(pick_consistent(members.eligible(), kDefaultWeight, key, nobody), nullptr);
    EXPECT_LE(asked, ConsistentSearch::kRefusalsMax + 128);
  }
}

// Also from one version of this program to the next.
TEST(ConsistentHash, KeysStayWhereTheyAre) {
  Members members;
  for (config::Slot slot = 0; slot < 1'000; ++slot) members.add_at(slot, 1);
  std::vector<Uid> picks;
  for (uint64_t key = 0; key < 8; ++key) picks.push_back(pick(members, key * 0x9e3779b97f4a7c15));
  EXPECT_EQ(picks, (std::vector<Uid>{865, 30, 435, 474, 4, 461, 335, 642}));
}

}  // namespace
}  // namespace fairlead::balancing
