// What goes by age: FIRST and STICKY against plain references, under random changes.
#include <gtest/gtest.h>

#include <array>
#include <map>
#include <set>

#include "balancing/first.h"
#include "balancing/sticky.h"
#include "base/random.h"
#include "members.h"

namespace fairlead::balancing {
namespace {

using config::Uid;

constexpr uint16_t kDefaultWeight = 1;

std::optional<uint16_t> draw_weight(base::Random& random) {
  constexpr std::array<int, 5> kWeights = {-1, 0, 1, 10, 256};
  int weight = kWeights[random.below(kWeights.size())];
  if (weight < 0) return std::nullopt;
  return static_cast<uint16_t>(weight);
}

// Adds, changes or removes one.
void change_at_random(base::Random& random, Members& members) {
  std::vector<Uid> uids = members.uids();
  if (uids.empty() || (uids.size() < 30 && random.below(3) == 0)) {
    members.add(draw_weight(random));
    return;
  }
  Uid uid = uids[random.below(uids.size())];
  if (random.below(3) == 0) {
    members.remove(uid);
  } else {
    members.set_weight(uid, draw_weight(random));
  }
}

class AgeSeeds : public testing::TestWithParam<uint64_t> {
 protected:
  AgeSeeds() : trace_(__FILE__, __LINE__, testing::Message() << "seed " << GetParam()), random_(GetParam()) {}

  // Oldest first; those that may be picked.
  std::vector<Uid> eligible(uint16_t default_weight = kDefaultWeight) const {
    std::vector<Uid> uids;
    for (const auto& [uid, weight] : members_.weights(default_weight)) {
      if (weight > 0) uids.push_back(uid);
    }
    return uids;
  }

  testing::ScopedTrace trace_;
  base::Random random_;
  Members members_;
};
INSTANTIATE_TEST_SUITE_P(Seeds, AgeSeeds, testing::Range<uint64_t>(1, 9));

TEST_P(AgeSeeds, FirstFillsInOrder) {
  constexpr uint32_t kLimit = 3;
  std::map<Uid, uint32_t> in_flight;
  auto has_room = [&](const config::Server& server) { return in_flight[server.metadata.uid] < kLimit; };
  for (int step = 0; step < 20'000; ++step) {
    if (random_.below(10) == 0) change_at_random(random_, members_);
    if (random_.below(2) == 0) {
      for (auto& [uid, count] : in_flight) {
        if (count > 0 && random_.below(8) == 0) --count;
      }
    }
    uint16_t default_weight = random_.below(20) == 0 ? 0 : kDefaultWeight;
    const config::Server* picked = pick_first(members_.eligible(), default_weight, has_room);
    Uid expected = 0;
    for (Uid uid : eligible(default_weight)) {
      if (expected == 0 && in_flight[uid] < kLimit) expected = uid;
    }
    ASSERT_EQ(picked ? picked->metadata.uid : 0, expected) << "step " << step;
    if (picked) ++in_flight[expected];
  }
}

TEST_P(AgeSeeds, StickyChangesOnlyWhenItsServerGoes) {
  StickyHolder holder;
  auto anybody = [](const config::Server&) { return true; };
  Uid current = 0;
  int changes = 0;
  for (int step = 0; step < 20'000; ++step) {
    if (random_.below(3) == 0) change_at_random(random_, members_);
    std::vector<Uid> present = eligible();
    const config::Server* picked = pick_sticky(members_.eligible(), kDefaultWeight, holder, anybody);
    if (present.empty()) {
      ASSERT_EQ(picked, nullptr);
      continue;
    }
    if (std::ranges::find(present, current) == present.end()) {
      current = present.front();
      ++changes;
    }
    ASSERT_EQ(picked->metadata.uid, current) << "step " << step;
  }
  EXPECT_GT(changes, 10);
}

TEST(First, GivesUpWhereVeryManyAreFull) {
  Members members;
  for (uint32_t i = 0; i < kFirstLooksMax; ++i) {
    members.add();
    // Who weighs nothing is no look.
    if (i % 8 == 0) members.add(0);
  }
  const Uid free = members.add();
  uint32_t looks = 0;
  auto only_last = [&](const config::Server& server) { return ++looks, server.metadata.uid == free; };
  EXPECT_EQ(pick_first(members.eligible(), kDefaultWeight, only_last), nullptr);
  EXPECT_EQ(looks, kFirstLooksMax);
  members.remove(members.uids().front());
  looks = 0;
  const config::Server* last = pick_first(members.eligible(), kDefaultWeight, only_last);
  ASSERT_TRUE(last);
  EXPECT_EQ(last->metadata.uid, free);
  EXPECT_EQ(looks, kFirstLooksMax);
  // Who is the one has no need of looks.
  StickyHolder holder;
  holder.elect(0, free);
  members.add();
  EXPECT_EQ(pick_sticky(members.eligible(), kDefaultWeight, holder, only_last), last);
}

TEST(Sticky, WhatTheOneCannotTakeGoesToTheOldestOther) {
  Members members;
  Uid one = members.add();
  Uid other = members.add(256);
  members.add();
  StickyHolder holder;
  std::set<Uid> full;
  auto has_room = [&](const config::Server& server) { return !full.contains(server.metadata.uid); };
  auto pick = [&] {
    const config::Server* server = pick_sticky(members.eligible(), 1, holder, has_room);
    return server ? server->metadata.uid : 0;
  };
  EXPECT_EQ(pick(), one);
  full = {one};
  EXPECT_EQ(pick(), other);
  full = {};
  EXPECT_EQ(pick(), one) << "it has not gone";
  members.set_weight(one, 0);
  EXPECT_EQ(pick(), other);
  members.set_weight(one, 5);
  EXPECT_EQ(pick(), other) << "the former one comes back";
}

TEST(Sticky, OnlyWhoeverIsTheOneIsReplaced) {
  StickyHolder holder;
  EXPECT_EQ(holder.elect(0, 5), 5u);
  EXPECT_EQ(holder.elect(0, 7), 5u) << "there is one already";
  EXPECT_EQ(holder.elect(5, 7), 7u);
  EXPECT_EQ(holder.uid(), 7u);
}

TEST(Sticky, WhoeverAnotherHasElectedIsTheOne) {
  Members members;
  members.add();
  Uid elected = members.add();
  struct Shared {
    Uid uid() const { return 0; }
    Uid elect(Uid, Uid) const { return by_another; }
    Uid by_another;
  };
  auto anybody = [](const config::Server&) { return true; };
  EXPECT_EQ(pick_sticky(members.eligible(), 1, Shared{elected}, anybody)->metadata.uid, elected);
  // One that is not there, as it is in the other's newer configuration.
  EXPECT_EQ(pick_sticky(members.eligible(), 1, Shared{77}, anybody)->metadata.uid, 1u);
}

}  // namespace
}  // namespace fairlead::balancing
