#include "balancing/hash.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "balancing/balancer.h"
#include "base/random.h"
#include "chi_square.h"
#include "members.h"

namespace fairlead::balancing {
namespace {

using config::HashType;
using config::Uid;

constexpr uint16_t kDefaultWeight = 3;
constexpr uint32_t kTableSize = 1'009;

bool anybody(const config::Server&) { return true; }

// A backend as the store publishes it; who is unhealthy is not eligible.
config::BackendSnapshot make_backend(const Members& members, HashType type, const std::set<Uid>& unhealthy = {}) {
  config::BackendSnapshot backend = members.snapshot(config::Algorithm::kHash, kDefaultWeight);
  auto settings = base::make_ref<config::Backend>(*backend.settings);
  settings->hash.type = type;
  settings->hash.table_size = kTableSize;
  backend.settings = settings;
  backend.assigned = backend.eligible;
  auto candidates = config::hash_candidates(backend.assigned, kDefaultWeight);
  backend.ring = base::Ref<const config::HashRing>(new config::HashRing(candidates));
  backend.maglev = base::Ref<const config::MaglevTable>(new config::MaglevTable(candidates, kTableSize));
  for (Uid uid : unhealthy) backend.eligible.erase(*members.find(uid));
  return backend;
}

Uid pick(const config::BackendSnapshot& backend, uint64_t key) {
  const config::Server* server = pick_by_hash(backend, backend.eligible, key, anybody);
  return server ? server->metadata.uid : 0;
}

std::string name_of(HashType type) {
  constexpr const char* kNames[] = {"Consistent", "Ring", "Maglev", "Modulo"};
  return kNames[static_cast<int>(type)];
}

class HashOf : public testing::TestWithParam<HashType> {
 protected:
  HashOf() {
    for (int i = 0; i < 20; ++i) members_.add(i % 3 == 0 ? std::optional<uint16_t>() : static_cast<uint16_t>(i));
    for (uint64_t& key : keys_) key = random_.next();
  }
  std::map<uint64_t, Uid> holders(const config::BackendSnapshot& backend) {
    std::map<uint64_t, Uid> all;
    for (uint64_t key : keys_) all[key] = pick(backend, key);
    return all;
  }

  base::Random random_{1};
  Members members_;
  std::vector<uint64_t> keys_ = std::vector<uint64_t>(5'000);
};
INSTANTIATE_TEST_SUITE_P(Types, HashOf,
                         testing::Values(HashType::kConsistent, HashType::kRing, HashType::kMaglev, HashType::kModulo),
                         [](const auto& test) { return name_of(test.param); });

TEST_P(HashOf, NobodyIsPickedAmongNobody) {
  Members members;
  EXPECT_EQ(pick(make_backend(members, GetParam()), 1), 0u);
  members.add(0);
  EXPECT_EQ(pick(make_backend(members, GetParam()), 1), 0u);
}

TEST_P(HashOf, EverybodyHasKeysByItsWeightAfterEachAddition) {
  Members members;
  for (std::optional<uint16_t> weight : {std::optional<uint16_t>{}, {1}, {4}, {0}, {50}, {}, {1}, {20}}) {
    members.add(weight);
    auto backend = make_backend(members, GetParam());
    std::map<Uid, uint64_t> counts;
    for (uint64_t key : keys_) ++counts[pick(backend, key)];
    auto weights = members.weights(kDefaultWeight);
    for (const auto& [uid, own] : weights) {
      double expected = static_cast<double>(keys_.size() * own) / static_cast<double>(total_of(weights));
      // A ring's arcs are of many lengths.
      double off = GetParam() == HashType::kRing ? 0.4 : 0.02;
      EXPECT_NEAR(static_cast<double>(counts[uid]), expected, expected * off + 4 * std::sqrt(expected)) << uid;
    }
  }
}

TEST_P(HashOf, KeysComeBackToWhoeverWasOnlyUnhealthy) {
  auto before = holders(make_backend(members_, GetParam()));
  std::set<Uid> unhealthy;
  auto former = before;
  for (Uid uid : members_.uids()) {
    unhealthy.insert(uid);
    auto without = holders(make_backend(members_, GetParam(), unhealthy));
    for (const auto& [key, was] : former) {
      if (was != uid) ASSERT_EQ(without[key], was) << "others' keys stay";
      ASSERT_FALSE(unhealthy.contains(without[key]));
    }
    if (unhealthy.size() == 12) break;
    former = without;
  }
  EXPECT_EQ(holders(make_backend(members_, GetParam())), before);
}

// Far more attempts than there are: what follows is the same for a key all the time.
TEST_P(HashOf, TheLastHealthyOnesAreFound) {
  Members members;
  for (int i = 0; i < 1'000; ++i) members.add(1);
  std::set<Uid> unhealthy;
  for (Uid uid : members.uids()) {
    if (uid % 500 != 0) unhealthy.insert(uid);
  }
  auto backend = make_backend(members, GetParam(), unhealthy);
  std::map<Uid, int> counts;
  for (size_t i = 0; i < 1'000; ++i) {
    Uid uid = pick(backend, keys_[i]);
    ++counts[uid];
    ASSERT_EQ(pick(backend, keys_[i]), uid);
  }
  EXPECT_EQ(counts.size(), 2u);
  EXPECT_NEAR(counts[500], 500, 80);
}

TEST_P(HashOf, WhoeverIsNotAllowedGivesAKeyToOneOther) {
  auto backend = make_backend(members_, GetParam());
  for (size_t i = 0; i < 200; ++i) {
    std::set<Uid> except;
    auto allowed = [&](const config::Server& server) { return !except.contains(server.metadata.uid); };
    for (int next = 0; next < 10; ++next) {
      const config::Server* server = pick_by_hash(backend, backend.eligible, keys_[i], allowed);
      ASSERT_NE(server, nullptr);
      ASSERT_EQ(pick_by_hash(backend, backend.eligible, keys_[i], allowed), server);
      ASSERT_TRUE(except.insert(server->metadata.uid).second);
    }
  }
}

TEST_P(HashOf, WhoeverIsNotAllowedIsHardlyMetTwice) {
  Members members;
  for (int i = 0; i < 10; ++i) members.add(1);
  auto backend = make_backend(members, GetParam());
  int asked = 0;
  auto allowed = [&](const config::Server& server) {
    ++asked;
    return server.metadata.uid > 5;
  };
  for (uint64_t key : keys_) ASSERT_GT(pick_by_hash(backend, backend.eligible, key, allowed)->metadata.uid, 5u);
  // Half of all may not be picked: two looks on average, where each look is a new one.
  EXPECT_LT(asked, 3 * static_cast<int>(keys_.size()));
}

TEST(Ring, GoesOnToTheNextPoints) {
  Members members;
  for (int i = 0; i < 20; ++i) members.add(1);
  std::set<Uid> unhealthy = {3, 7, 8};
  auto backend = make_backend(members, HashType::kRing, unhealthy);
  base::Random random(1);
  for (int i = 0; i < 2'000; ++i) {
    uint64_t key = random.next();
    const config::Server* nearest = nullptr;
    uint32_t least = UINT32_MAX;
    for (size_t at = 0; at < backend.ring->size(); ++at) {
      const config::HashRing::Point& point = backend.ring->point(at);
      const auto* server = backend.eligible.find(point.slot);
      uint32_t distance = point.position - static_cast<uint32_t>(key);
      if (!server || distance > least) continue;
      least = distance;
      nearest = server->get();
    }
    ASSERT_EQ(pick(backend, key), nearest->metadata.uid);
  }
}

TEST(Modulo, EachServerHasAsManyRemaindersAsItWeighs) {
  Members members;
  base::Random random(1);
  for (config::Slot slot = 0; slot < 60; ++slot) {
    members.add_at(slot * slot,
                   random.below(3) == 0 ? std::optional<uint16_t>() : static_cast<uint16_t>(random.below(9)));
  }
  auto backend = make_backend(members, HashType::kModulo);
  auto weights = members.weights(kDefaultWeight);
  std::map<Uid, uint64_t> counts;
  for (uint64_t key = 0; key < 7 * total_of(weights); ++key) ++counts[pick(backend, key)];
  for (const auto& [uid, weight] : weights) EXPECT_EQ(counts[uid], 7 * weight);
}

TEST(Modulo, SharesAreTheWeightsWhileMembersComeAndGo) {
  for (uint64_t seed = 1; seed <= 8; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    base::Random random(seed);
    Members members;
    for (int i = 0; i < 20; ++i) members.add(static_cast<uint16_t>(random.below(9)));
    ChiSquare shares;
    for (int change = 0; change < 300; ++change) {
      std::vector<Uid> uids = members.uids();
      if (uids.size() > 20) members.remove(uids[random.below(uids.size())]);
      if (uids.size() < 30) members.add(static_cast<uint16_t>(random.below(9)));
      auto backend = make_backend(members, HashType::kModulo);
      shares.expect(members.weights(kDefaultWeight), 100);
      for (int i = 0; i < 100; ++i) shares.saw(pick(backend, random.next()));
    }
    EXPECT_TRUE(shares.is_plausible()) << shares.text();
  }
}

// Of what is in flight.
struct Counts {
  uint32_t operator()(const config::Server& server) const {
    return server.slot < loads.size() ? loads[server.slot] : 0;
  }
  uint64_t total_in_flight() const { return total; }
  std::vector<uint32_t> loads = std::vector<uint32_t>(100);
  uint64_t total = 0;
};

config::BackendSnapshot bounded(const Members& members, HashType type, uint32_t factor) {
  config::BackendSnapshot backend = make_backend(members, type);
  auto settings = base::make_ref<config::Backend>(*backend.settings);
  settings->hash.balance_factor = factor;
  backend.settings = settings;
  backend.counts_in_flight = backend.counts_total = true;
  return backend;
}

// Nobody is given more than the factor says; whoever may take a key has it.
TEST_P(HashOf, LoadIsBounded) {
  for (uint32_t factor : {101u, 125u, 300u}) {
    auto backend = bounded(members_, GetParam(), factor);
    auto weights = members_.weights(kDefaultWeight);
    uint64_t all_weights = total_of(weights);
    Counts counts;
    Balancer balancer;
    struct InFlight {
      config::Slot slot;
    };
    std::vector<InFlight> in_flight;
    int away = 0;
    for (int i = 0; i < 20'000; ++i) {
      if (!in_flight.empty() && random_.below(300) < in_flight.size()) {
        std::swap(in_flight[random_.below(in_flight.size())], in_flight.back());
        --counts.loads[in_flight.back().slot];
        --counts.total;
        in_flight.pop_back();
        continue;
      }
      // A few keys are most of the load.
      uint64_t key = keys_[random_.below(random_.below(2) == 0 ? 3 : keys_.size())];
      const config::Server* server = balancer.pick(backend, random_, counts, {}, key);
      uint64_t weight = weights[server->metadata.uid];
      double bound = std::ceil(
          factor / 100.0 * static_cast<double>((counts.total + 1) * weight) / static_cast<double>(all_weights) - 1e-9);
      ASSERT_LE(++counts.loads[server->slot], std::max(bound, 1.0));
      const config::Server* own = pick_by_hash(backend, backend.eligible, key, anybody);
      double own_bound = factor / 100.0 * static_cast<double>((counts.total + 1) * weights[own->metadata.uid]) /
                         static_cast<double>(all_weights);
      if (own != server) {
        ++away;
        ASSERT_GE(counts.loads[own->slot], own_bound - 1e-9) << "its server had room";
      }
      ++counts.total;
      in_flight.push_back({server->slot});
    }
    EXPECT_GT(away, 100) << factor;
  }
}

TEST_P(HashOf, ABoundPassesNobodyOverWhoIsTheLast) {
  Members members;
  Uid first = members.add(1);
  Uid second = members.add(1);
  auto backend = bounded(members, GetParam(), 101);
  Counts counts;
  counts.loads[0] = 100;
  counts.total = 100;
  Balancer balancer;
  std::array<Uid, 1> tried = {second};
  for (uint64_t key : keys_) {
    ASSERT_EQ(balancer.pick(backend, random_, counts, {}, key)->metadata.uid, second);
    ASSERT_EQ(balancer.pick(backend, random_, counts, tried, key)->metadata.uid, first);
  }
}

}  // namespace
}  // namespace fairlead::balancing
