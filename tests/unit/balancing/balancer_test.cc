#include "balancing/balancer.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <deque>
#include <map>
#include <new>
#include <set>
#include <string>

#include "members.h"

namespace {
std::atomic<uint64_t> allocations = 0;
}

// Counts what the whole test program allocates. A sanitizer has its own.
#ifndef FAIRLEAD_SANITIZED
void* operator new(std::size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size)) return memory;
  std::abort();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
#endif

namespace fairlead::balancing {
namespace {

using config::Algorithm;
using config::Uid;

uint64_t no_load(const config::Server&) { return 0; }

class BalancerOf : public testing::TestWithParam<Algorithm> {
 protected:
  Uid pick(const config::BackendSnapshot& backend, Tried tried = {}) {
    const config::Server* server = balancer_.pick(backend, random_, no_load, tried, random_.next());
    return server ? server->metadata.uid : 0;
  }

  Members members_;
  base::Random random_{1};
  Balancer balancer_;
};
std::string name_of(Algorithm algorithm) {
  switch (algorithm) {
    case Algorithm::kRoundRobin:
      return "RoundRobin";
    case Algorithm::kRandom:
      return "Random";
    case Algorithm::kLeastConnections:
      return "LeastConnections";
    case Algorithm::kStaticRoundRobin:
      return "StaticRoundRobin";
    case Algorithm::kFirst:
      return "First";
    case Algorithm::kSticky:
      return "Sticky";
    case Algorithm::kPeakEwma:
      return "PeakEwma";
    case Algorithm::kPrequal:
      return "Prequal";
    case Algorithm::kHash:
      return "Hash";
  }
  return "";
}
constexpr std::array kSpreading = {Algorithm::kRoundRobin, Algorithm::kRandom, Algorithm::kStaticRoundRobin,
                                   Algorithm::kHash};
constexpr std::array kAll = {Algorithm::kRoundRobin, Algorithm::kRandom,  Algorithm::kStaticRoundRobin,
                             Algorithm::kFirst,      Algorithm::kSticky,  Algorithm::kLeastConnections,
                             Algorithm::kPeakEwma,   Algorithm::kPrequal, Algorithm::kHash};

INSTANTIATE_TEST_SUITE_P(Algorithms, BalancerOf, testing::ValuesIn(kAll),
                         [](const auto& test) { return name_of(test.param); });

// Those that give all servers something to do, by weight.
using SpreadingBalancerOf = BalancerOf;
INSTANTIATE_TEST_SUITE_P(Algorithms, SpreadingBalancerOf, testing::ValuesIn(kSpreading),
                         [](const auto& test) { return name_of(test.param); });

TEST_P(BalancerOf, NullMeansThatNothingIsEligible) {
  EXPECT_EQ(pick(members_.snapshot(GetParam())), 0u);
  members_.add(0);
  EXPECT_EQ(pick(members_.snapshot(GetParam())), 0u);
  std::array<Uid, 1> tried = {members_.add()};
  EXPECT_EQ(pick(members_.snapshot(GetParam(), 0), tried), 0u);
  EXPECT_EQ(pick(members_.snapshot(GetParam(), 1), tried), tried[0]) << "better the same one again than nobody";
}

TEST_P(BalancerOf, WhatWasTriedIsNotPickedWhileThereAreOthers) {
  std::vector<Uid> tried;
  for (int i = 0; i < 3; ++i) tried.push_back(members_.add(256));
  std::set<Uid> others;
  for (int i = 0; i < 3; ++i) others.insert(members_.add(1));
  auto backend = members_.snapshot(GetParam());
  std::map<Uid, int> counts;
  for (int i = 0; i < 3'000; ++i) {
    Uid picked = pick(backend, tried);
    ASSERT_TRUE(others.contains(picked));
    ++counts[picked];
  }
  if (!config::goes_by_age(GetParam())) {
    // Retries do not all meet on one.
    for (Uid uid : others) EXPECT_NEAR(counts[uid], 1'000, 200);
  }
}

// Of the limits that somebody else knows.
struct Full {
  uint32_t operator()(const config::Server&) const { return 0; }
  bool is_full(const config::Server& server) { return ++looks, full.contains(server.metadata.uid); }
  std::set<Uid> full;
  int looks = 0;
};

TEST_P(BalancerOf, WhatIsFullIsNotPickedWhateverWasTried) {
  Full full;
  for (int i = 0; i < 100; ++i) full.full.insert(members_.add(i % 3 == 0 ? 256 : 3));
  Uid tried_one = members_.add(1);
  auto backend = members_.snapshot(GetParam());
  std::array<Uid, 2> tried = {1, tried_one};
  for (int i = 0; i < 200; ++i) {
    ASSERT_EQ(balancer_.pick(backend, random_, full, {}, random_.next())->metadata.uid, tried_one);
    ASSERT_EQ(balancer_.pick(backend, random_, full, tried, random_.next())->metadata.uid, tried_one)
        << "better again than a full one";
  }
  full.full.insert(tried_one);
  EXPECT_EQ(balancer_.pick(backend, random_, full, {}, 1), nullptr);
  EXPECT_EQ(balancer_.pick(backend, random_, full, tried, 1), nullptr);
  Uid fresh = members_.add(1);
  backend = members_.snapshot(GetParam());
  for (int i = 0; i < 200; ++i) {
    ASSERT_EQ(balancer_.pick(backend, random_, full, tried, random_.next())->metadata.uid, fresh);
  }
}

TEST(Balancer, TheSearchForOneThatIsNotFullEnds) {
  Members members;
  Full full;
  for (config::Slot slot = 0; slot < 10'000; ++slot) full.full.insert(members.add_at(slot, 1));
  base::Random random(1);
  Balancer balancer;
  EXPECT_EQ(balancer.pick(members.snapshot(Algorithm::kRoundRobin), random, full), nullptr);
  EXPECT_LT(full.looks, 5'000);
}

TEST_P(BalancerOf, OneAmongManyThatWereNotTriedIsFound) {
  std::vector<Uid> tried;
  for (int i = 0; i < 200; ++i) tried.push_back(members_.add(i % 2 == 0 ? 100 : 7));
  Uid left = members_.add(7);
  for (int i = 0; i < 100; ++i) ASSERT_EQ(pick(members_.snapshot(GetParam()), tried), left);
}

TEST_P(SpreadingBalancerOf, AServerThatGoesAndComesAHundredTimesServesWhileItIsThere) {
  for (int i = 0; i < 4; ++i) members_.add();
  for (int toggle = 0; toggle < 100; ++toggle) {
    Uid guest = members_.add(toggle % 2 == 0 ? std::optional<uint16_t>() : 1);
    std::map<Uid, int> counts;
    for (int i = 0; i < 1'000; ++i) ++counts[pick(members_.snapshot(GetParam()))];
    EXPECT_NEAR(counts[guest], 200, 70) << "toggle " << toggle;
    EXPECT_EQ(counts.size(), 5u);
    members_.remove(guest);
    for (int i = 0; i < 10; ++i) ASSERT_NE(pick(members_.snapshot(GetParam())), guest);
  }
}

// Requests that stay for a while, so that algorithms that go by load see some.
class Flights {
 public:
  explicit Flights(size_t most) : most_(most) {}

  uint32_t operator()(const config::Server& server) const {
    auto at = loads_.find(server.metadata.uid);
    return at == loads_.end() ? 0 : at->second;
  }
  void begin(Uid uid) {
    ++loads_[uid];
    flying_.push_back(uid);
    if (flying_.size() <= most_) return;
    --loads_[flying_.front()];
    flying_.pop_front();
  }

 private:
  size_t most_;
  std::map<Uid, uint32_t> loads_;
  std::deque<Uid> flying_;
};

TEST_P(BalancerOf, AServerThatGoesAndComesAHundredTimesIsPickedOnlyWhileItIsThere) {
  Flights flights(20);
  auto pick_one = [&] {
    Uid picked = balancer_.pick(members_.snapshot(GetParam()), random_, flights, {}, random_.next())->metadata.uid;
    flights.begin(picked);
    return picked;
  };
  std::vector<Uid> others;
  for (int i = 0; i < 4; ++i) others.push_back(members_.add());
  for (int toggle = 0; toggle < 100; ++toggle) {
    Uid guest = members_.add();
    std::map<Uid, int> counts;
    for (int i = 0; i < 300; ++i) ++counts[pick_one()];
    if (!config::goes_by_age(GetParam())) {
      EXPECT_EQ(counts.size(), 5u) << "toggle " << toggle;
      EXPECT_NEAR(counts[guest], 60, 40) << "toggle " << toggle;
    }
    members_.remove(guest);
    for (int i = 0; i < 20; ++i) ASSERT_NE(pick_one(), guest) << "toggle " << toggle;
  }
}

TEST_P(BalancerOf, AfterEachAdditionTheNewOneHasItsShare) {
  if (config::goes_by_age(GetParam())) GTEST_SKIP() << "the oldest takes all";
  for (int added = 1; added <= 12; ++added) {
    members_.add();
    Flights flights(4 * static_cast<size_t>(added));
    auto backend = members_.snapshot(GetParam());
    std::map<Uid, int> counts;
    for (int i = 0; i < 400 * added; ++i) {
      Uid picked = balancer_.pick(backend, random_, flights, {}, random_.next())->metadata.uid;
      flights.begin(picked);
      ++counts[picked];
    }
    for (Uid uid : members_.uids()) EXPECT_NEAR(counts[uid], 400, 130) << "of " << added;
  }
}

// HAProxy's roundrobin ends at 4,095.
TEST_P(BalancerOf, FiveThousandServersAllTakePart) {
  if (config::goes_by_age(GetParam())) GTEST_SKIP() << "the oldest takes all";
  constexpr int kServers = 5'000;
  for (int i = 0; i < kServers; ++i) members_.add();
  auto backend = members_.snapshot(GetParam());
  Flights flights(kServers);
  std::set<Uid> picked;
  for (int i = 0; i < 20 * kServers && picked.size() < kServers; ++i) {
    Uid uid = balancer_.pick(backend, random_, flights, {}, random_.next())->metadata.uid;
    flights.begin(uid);
    picked.insert(uid);
  }
  EXPECT_EQ(picked.size(), static_cast<size_t>(kServers));
}

TEST_P(BalancerOf, APickAllocatesNothing) {
#ifdef FAIRLEAD_SANITIZED
  GTEST_SKIP() << "the heap is the sanitizer's own";
#endif
  for (int i = 0; i < 1'000; ++i) members_.add(static_cast<uint16_t>(i % 5));
  auto backend = members_.snapshot(GetParam());
  pick(backend);
  std::array<Uid, 3> tried = {1, 2, 3};
  uint64_t before = allocations;
  for (int i = 0; i < 1'000; ++i) pick(backend, tried);
  EXPECT_EQ(allocations, before);
}

TEST(Balancer, HashesWhatHasAKeyAndTakesTheRestInTurn) {
  Members members;
  for (int i = 0; i < 10; ++i) members.add();
  auto backend = members.snapshot(Algorithm::kHash);
  base::Random random(1);
  Balancer balancer;
  std::map<Uid, int> with_key;
  std::map<Uid, int> without_key;
  for (int i = 0; i < 100; ++i) {
    ++with_key[balancer.pick(backend, random, no_load, {}, 7)->metadata.uid];
    ++without_key[balancer.pick(backend, random, no_load)->metadata.uid];
  }
  EXPECT_EQ(with_key.size(), 1u);
  EXPECT_EQ(without_key.size(), 10u);
  for (const auto& [uid, count] : without_key) EXPECT_EQ(count, 10);
}

TEST(Balancer, SwitchesTheAlgorithmInPlace) {
  Members members;
  Uid busy = members.add();
  members.add();
  base::Random random(1);
  Balancer balancer;
  auto load_of = [busy](const config::Server& server) { return server.metadata.uid == busy ? 1u : 0u; };
  for (int round = 0; round < 100; ++round) {
    int busy_picks = 0;
    for (int i = 0; i < 10; ++i) {
      auto backend = members.snapshot(Algorithm::kRoundRobin);
      busy_picks += balancer.pick(backend, random, load_of)->metadata.uid == busy;
    }
    EXPECT_EQ(busy_picks, 5);
    for (int i = 0; i < 10; ++i) {
      auto backend = members.snapshot(Algorithm::kRandom);
      EXPECT_NE(balancer.pick(backend, random, load_of)->metadata.uid, busy);
    }
  }
}

}  // namespace
}  // namespace fairlead::balancing
