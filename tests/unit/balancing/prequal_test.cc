#include "balancing/prequal.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "members.h"

namespace fairlead::balancing {
namespace {

using config::Duration;
using config::Uid;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(LatencyRecord, KnowsNothingBeforeTheFirstResponse) {
  LatencyRecord record;
  EXPECT_EQ(record.estimate(0, seconds(1)), Duration::zero());
  record.observe(Duration::zero(), 1, seconds(1));
  EXPECT_GT(record.estimate(0, seconds(1)), Duration::zero());
}

TEST(LatencyRecord, GivesTheMedianOfThoseThatWereAsBusy) {
  LatencyRecord record;
  for (int i = 1; i <= 5; ++i) record.observe(milliseconds(i), 1, seconds(1));
  for (int i = 1; i <= 5; ++i) record.observe(milliseconds(100 * i), 10, seconds(1));
  EXPECT_EQ(record.estimate(0, seconds(1)), milliseconds(3));
  EXPECT_EQ(record.estimate(5, seconds(1)), milliseconds(3));
  EXPECT_EQ(record.estimate(9, seconds(1)), milliseconds(300));
  EXPECT_EQ(record.estimate(1'000, seconds(1)), milliseconds(300));
}

TEST(LatencyRecord, ForgetsWhatIsOldAndWhatHasBeenReplaced) {
  LatencyRecord record;
  record.observe(milliseconds(500), 1, seconds(1));
  EXPECT_EQ(record.estimate(1, seconds(1) + LatencyRecord::kMaxAge), milliseconds(500));
  EXPECT_EQ(record.estimate(1, seconds(1) + LatencyRecord::kMaxAge + microseconds(1)), Duration::zero());
  for (int i = 0; i < 16; ++i) record.observe(milliseconds(2), 50, seconds(2));
  EXPECT_EQ(record.estimate(1, seconds(2)), milliseconds(2)) << "the last 16 are kept";
}

TEST(LatencyRecord, AgreesWithAPlainReference) {
  struct Response {
    Duration latency;
    uint32_t in_flight;
    Duration time;
    int step;
  };
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    base::Random random(seed);
    LatencyRecord record;
    std::vector<Response> newest_first;
    Duration now = seconds(1);
    for (int step = 0; step < 5'000; ++step) {
      now += milliseconds(random.below(random.below(20) == 0 ? 9'000 : 300));
      if (random.below(3) == 0) {
        Response response{microseconds(1 + random.below(1'000'000)), static_cast<uint32_t>(random.below(12)), now,
                          step};
        record.observe(response.latency, response.in_flight, now);
        newest_first.insert(newest_first.begin(), response);
        if (newest_first.size() > 16) newest_first.pop_back();
      }
      auto in_flight = static_cast<uint32_t>(random.below(4) * 3);
      std::vector<Response> usable;
      for (const Response& response : newest_first) {
        if (now - response.time <= LatencyRecord::kMaxAge) usable.push_back(response);
      }
      // The newest of those that are equally near.
      std::ranges::sort(usable, {}, [&](const Response& response) {
        return std::pair(std::abs(static_cast<int>(response.in_flight) - static_cast<int>(in_flight)), -response.step);
      });
      if (usable.size() > 5) usable.resize(5);
      std::ranges::sort(usable, {}, &Response::latency);
      Duration expected = usable.empty() ? Duration::zero() : usable[(usable.size() - 1) / 2].latency;
      ASSERT_EQ(record.estimate(in_flight, now), expected) << "step " << step;
    }
  }
}

class PrequalSeeds : public testing::TestWithParam<uint64_t> {
 protected:
  PrequalSeeds() : trace_(__FILE__, __LINE__, testing::Message() << "seed " << GetParam()), random_(GetParam()) {}

  Uid pick(const std::set<Uid>& refused = {}) {
    auto look = [this](const config::Server& server) {
      ++looks_;
      return probes_[server.metadata.uid];
    };
    auto allowed = [&](const config::Server& server) { return !refused.contains(server.metadata.uid); };
    const config::Server* server = pool_.pick(members_.eligible(), 1, settings_, now_, random_, look, allowed);
    return server ? server->metadata.uid : 0;
  }
  bool look_around() {
    auto look = [this](const config::Server& server) { return probes_[server.metadata.uid]; };
    return pool_.look_around(members_.eligible(), 1, settings_, now_, random_, look);
  }
  Uid pick_and_look(const std::set<Uid>& refused = {}) {
    Uid uid = pick(refused);
    look_around();
    return uid;
  }
  Uid pick_later() {
    now_ += milliseconds(1);
    return pick_and_look();
  }
  void set(Uid uid, uint32_t in_flight, Duration latency, bool overloaded = false) {
    probes_[uid] = {.in_flight = in_flight, .latency = latency, .is_overloaded = overloaded};
  }

  testing::ScopedTrace trace_;
  base::Random random_;
  Members members_;
  ProbePool pool_;
  std::map<Uid, Probe> probes_;
  config::PrequalSettings settings_;
  Duration now_ = seconds(100);
  // By picks, which found too little in the pool.
  int looks_ = 0;
};
INSTANTIATE_TEST_SUITE_P(Seeds, PrequalSeeds, testing::Range<uint64_t>(1, 5));

TEST_P(PrequalSeeds, HasNothingToSayOfNobodyAndOfOneAlone) {
  EXPECT_EQ(pick(), 0u);
  members_.add(0);
  EXPECT_EQ(pick(), 0u);
  members_.add();
  EXPECT_EQ(pick(), 0u) << "no choice: whoever asks draws by weight";
}

TEST_P(PrequalSeeds, LooksByItselfWhereNobodyDid) {
  EXPECT_FALSE(look_around()) << "there is nobody";
  for (int i = 0; i < 8; ++i) set(members_.add(), 1, milliseconds(10));
  EXPECT_NE(pick(), 0u) << "the pool is empty";
  EXPECT_TRUE(look_around());
  for (int i = 0; i < 1'000; ++i) ASSERT_NE(pick(), 0u) << "what leaves the pool comes in again";
}

TEST_P(PrequalSeeds, OfThoseThatAreNotHotTheFastestTakesIt) {
  for (int i = 0; i < 10; ++i) set(members_.add(), 5, milliseconds(10 + i));
  set(1, 200, milliseconds(1));  // fast, but busier than all others
  std::map<Uid, int> counts;
  for (int i = 0; i < 2'000; ++i) ++counts[pick_later()];
  EXPECT_LT(counts[1], 20) << "hot";
  // Used probes count one more in flight, so that others get some as well.
  for (Uid uid = 3; uid <= 10; ++uid) EXPECT_GE(counts[2] + 20, counts[uid]) << uid;
  EXPECT_GT(counts[2] + counts[3], 500);
}

TEST_P(PrequalSeeds, OfHotOnesTheLeastBusyTakesIt) {
  settings_.probes = 16;
  for (uint32_t i = 0; i < 6; ++i) set(members_.add(), 10 + i, milliseconds(100 - i), /*overloaded=*/true);
  std::map<Uid, int> counts;
  for (int i = 0; i < 1'000; ++i) ++counts[pick_later()];
  EXPECT_GT(counts[1], counts[3]);
  EXPECT_LT(counts[6], 100);
}

TEST_P(PrequalSeeds, WhoSaysThatItIsFullIsAvoided) {
  for (int i = 0; i < 10; ++i) set(members_.add(), 1, milliseconds(10));
  set(4, 0, milliseconds(1), /*overloaded=*/true);
  for (int i = 0; i < 1'000; ++i) ASSERT_NE(pick_later(), 4u);
}

TEST_P(PrequalSeeds, AnUnknownServerIsTriedOnceAndNotFlooded) {
  settings_.probes = 16;
  for (int i = 0; i < 5; ++i) set(members_.add(), 1, milliseconds(10));
  set(3, 0, Duration::zero());
  EXPECT_EQ(pick(), 3u);
  set(3, 1, Duration::zero());
  for (int i = 0; i < 500; ++i) ASSERT_NE(pick_later(), 3u);
}

TEST_P(PrequalSeeds, OldProbesAndGoneServersAreNotUsed) {
  for (int i = 0; i < 8; ++i) set(members_.add(), 1, milliseconds(10));
  for (int i = 0; i < 20; ++i) pick_and_look();
  EXPECT_GE(pool_.size(), 2u);
  for (Uid uid = 1; uid <= 6; ++uid) members_.remove(uid);
  for (int i = 0; i < 100; ++i) {
    Uid uid = pick_and_look();
    ASSERT_TRUE(uid == 0 || uid >= 7) << uid;
  }
  now_ += seconds(2);
  settings_.probes = 1;
  EXPECT_EQ(pick(), 0u) << "one fresh probe only";
  EXPECT_EQ(pool_.size(), 1u);
}

TEST_P(PrequalSeeds, EachLookAddsWhatItSeesAndOneLeaves) {
  settings_.pool_size = 64;
  settings_.probes = 3;
  for (int i = 0; i < 5'000; ++i) set(members_.add(), 1, milliseconds(10));
  for (int i = 0; i < 20; ++i) look_around();
  // Not as long as there would be fewer than two; and now and then a server is looked at twice.
  EXPECT_LE(pool_.size(), 60u - 19);
  EXPECT_GE(pool_.size(), 60u - 19 - 4);
  now_ += seconds(2);
  settings_.probes = 1;
  look_around();
  EXPECT_EQ(pool_.size(), 1u) << "what is old leaves as well";
}

TEST_P(PrequalSeeds, AProbeIsUsedAsOftenAsOthersComeIn) {
  settings_.pool_size = 16;
  for (int i = 0; i < 5'000; ++i) set(members_.add(), 1, milliseconds(10));
  // ceil(2 / (probes - 1)), and a little more where the pool is a part of all.
  for (auto [probes, uses] : {std::pair{3u, 2u}, {2u, 3u}}) {
    settings_.probes = probes;
    for (int i = 0; i < 30; ++i) look_around();
    EXPECT_EQ(pool_.size(), 16u);
    uint32_t picks = 0;
    for (looks_ = 0; looks_ == 0 && picks < 1'000; ++picks) pick();
    EXPECT_NEAR(picks, 16 * uses, uses + 1) << probes;
  }
  // One comes in for the one that leaves: nothing is used up.
  settings_.probes = 1;
  for (int i = 0; i < 30; ++i) look_around();
  looks_ = 0;
  const size_t before = pool_.size();
  for (int i = 0; i < 1'000; ++i) pick();
  EXPECT_EQ(pool_.size(), before);
  EXPECT_EQ(looks_, 0);
}

TEST_P(PrequalSeeds, TheOldestLeavesAndTheWorstInTurn) {
  settings_.pool_size = 64;
  for (int i = 0; i < 5'000; ++i) set(members_.add(), 1, milliseconds(i % 2 == 0 ? 10 : 100));
  int fast = 0, slow = 0;
  for (int round = 0; round < 20; ++round) {
    pool_ = ProbePool();
    for (int i = 0; i < 30; ++i) now_ += microseconds(10), look_around();
    // The fast ones first.
    for (size_t left = pool_.size(); left >= 2; --left) ++(pick() % 2 == 1 ? fast : slow);
    EXPECT_EQ(looks_, 0);
  }
  // Of 90 that were looked at, 15 left because they were the oldest, and 14 because they were slow.
  EXPECT_GT(fast, 1.3 * slow);
  EXPECT_LT(fast, 2 * slow);
}

TEST_P(PrequalSeeds, AProbeIsNotOfWhoeverHasTheSlotNow) {
  settings_.probes = 16;
  for (int i = 0; i < 8; ++i) set(members_.add(), 1, milliseconds(10));
  for (int i = 0; i < 5; ++i) look_around();
  for (Uid uid = 1; uid <= 8; ++uid) {
    members_.remove(uid);
    set(members_.add(), 1, milliseconds(10));
  }
  EXPECT_GT(pick(), 8u);
  EXPECT_GT(looks_, 0) << "all that was known is of others";
}

TEST_P(PrequalSeeds, LatencyAndInFlightCountForTheWeight) {
  settings_.probes = 16;
  for (bool overloaded : {false, true}) {
    members_ = Members();
    pool_ = ProbePool();
    const Uid strong = members_.add(4);
    const Uid weak = members_.add(1);
    set(strong, 8, milliseconds(20), overloaded);
    set(weak, 3, milliseconds(10), overloaded);
    settings_.hot_percent = 100;
    for (int i = 0; i < 5; ++i) look_around();
    EXPECT_EQ(pick(), strong) << overloaded;
    set(weak, 1, milliseconds(4), overloaded);
    for (int i = 0; i < 5; ++i) look_around();
    EXPECT_EQ(pick(), weak) << overloaded;
  }
}

TEST_P(PrequalSeeds, WhatIsRefusedIsNotPickedAndSettingsHoldAtOnce) {
  settings_.pool_size = 64;
  for (int i = 0; i < 100; ++i) set(members_.add(static_cast<uint16_t>(1 + i % 3)), 1, milliseconds(10));
  std::set<Uid> refused;
  for (Uid uid = 1; uid <= 100; uid += 2) refused.insert(uid);
  for (int i = 0; i < 1'000; ++i) ASSERT_FALSE(refused.contains(pick_and_look(refused)));
  for (int i = 0; i < 100; ++i) pick_and_look();
  EXPECT_GT(pool_.size(), 16u);
  EXPECT_LE(pool_.size(), 64u);
}

// Random membership, weights, loads: whatever it picks may be picked, and everybody gets something in the long run.
TEST_P(PrequalSeeds, PicksWhoMayBePickedAndStarvesNobody) {
  std::map<Uid, uint64_t> counts;
  for (int i = 0; i < 10; ++i) set(members_.add(), 0, milliseconds(10));
  for (int step = 0; step < 50'000; ++step) {
    now_ += microseconds(random_.below(2'000));
    uint64_t dice = random_.below(200);
    std::vector<Uid> uids = members_.uids();
    Uid any = uids[random_.below(uids.size())];
    if (dice == 0 && uids.size() < 30) {
      set(members_.add(static_cast<uint16_t>(random_.below(4))), 0, milliseconds(10));
    } else if (dice == 1 && any > 10) {
      members_.remove(any);
    } else if (dice == 2 && any > 10) {
      members_.set_weight(any, static_cast<uint16_t>(random_.below(4)));
    }
    set(any, static_cast<uint32_t>(random_.below(8)), milliseconds(5 + random_.below(20)));
    Uid picked = pick_and_look();
    if (picked == 0) continue;
    auto weights = members_.weights(1);
    ASSERT_TRUE(weights.contains(picked) && weights[picked] > 0) << picked;
    ++counts[picked];
  }
  for (Uid uid = 1; uid <= 10; ++uid) EXPECT_GT(counts[uid], 100u) << uid;
}

}  // namespace
}  // namespace fairlead::balancing
