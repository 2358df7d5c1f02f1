// When names are asked for, and what is known of them, against a clock that the test turns.
#include "names/name_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>

namespace fairlead::names {
namespace {

using runtime::Duration;
using runtime::TimePoint;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;

config::Endpoint ip(uint32_t last) { return config::Endpoint(config::Ip4Endpoint{.address = 0x0a000000 + last}); }

Part good(std::initializer_list<uint32_t> addresses, Duration ttl = seconds(10)) {
  Part part;
  for (uint32_t last : addresses) part.addresses.push_back(ip(last));
  part.ttl = ttl;
  return part;
}

std::vector<std::string> texts(const Fact& fact) {
  std::vector<std::string> result;
  for (const config::Endpoint& address : fact.addresses) result.push_back(address.to_string());
  return result;
}

class NameTableTest : public testing::Test {
 protected:
  explicit NameTableTest(const Settings& settings = {}) : table_(settings, 1) {}

  // Asks for what is due by then; the time of the first that is, since now.
  Duration until_due() { return table_.next() - now_; }
  void pass(Duration time) { now_ += time; }
  std::optional<Fact> answer(const std::string& name, const Part& part) {
    EXPECT_EQ(table_.start_one(now_), name);
    return table_.take(name, part, now_);
  }
  // To its next moment.
  std::optional<Fact> later(const std::string& name, const Part& part) {
    now_ = table_.next();
    return answer(name, part);
  }

  TimePoint now_{};
  NameTable table_;
};

TEST_F(NameTableTest, AsksAtOnceAndThenByTtl) {
  table_.add("a", now_);
  auto fact = answer("a", good({1, 2}, seconds(20)));
  ASSERT_TRUE(fact);
  EXPECT_THAT(texts(*fact), ElementsAre("10.0.0.1:0", "10.0.0.2:0"));
  EXPECT_EQ(fact->present, 2u);
  EXPECT_EQ(fact->reason, "2 addresses");
  EXPECT_LE(until_due(), seconds(20));
  EXPECT_GE(until_due(), seconds(18));
  EXPECT_EQ(table_.start_one(now_), std::nullopt);
  EXPECT_FALSE(later("a", good({1, 2}, seconds(0)))) << "nothing new";
  EXPECT_GE(until_due(), milliseconds(900)) << "a TTL of 0 is no storm";
  EXPECT_FALSE(later("a", good({1, 2}, minutes(600))));
  EXPECT_LE(until_due(), minutes(1));
  fact = later("a", good({2, 3}));
  ASSERT_TRUE(fact);
  EXPECT_THAT(texts(*fact), ElementsAre("10.0.0.2:0", "10.0.0.3:0"));
}

TEST_F(NameTableTest, TriesAgainLessAndLessOften) {
  table_.add("a", now_);
  auto fact = answer("a", Part::failed(Failure::kTimeout, "silence"));
  ASSERT_TRUE(fact);
  EXPECT_THAT(fact->addresses, IsEmpty());
  EXPECT_EQ(fact->reason, "silence");
  Duration pause = seconds(1);
  for (int i = 0; i < 12; ++i) {
    EXPECT_LE(until_due(), pause);
    EXPECT_GE(until_due(), pause - pause / 10);
    pause = std::min<Duration>(pause * 2, minutes(1));
    EXPECT_FALSE(later("a", Part::failed(Failure::kTimeout, "silence")));
  }
  EXPECT_TRUE(later("a", good({1})));
  EXPECT_TRUE(later("a", Part::failed(Failure::kTimeout, "silence")));
  EXPECT_LE(until_due(), seconds(1)) << "the next failure is a first one";
}

// The last good answer holds for as long as the kind of failure says, since it came.
TEST_F(NameTableTest, KeepsTheLastAnswerThroughFailures) {
  Settings settings;
  for (auto [failure, hold] : {std::pair{Failure::kNoName, settings.hold_no_name},
                               {Failure::kRefused, settings.hold_refused},
                               {Failure::kTimeout, settings.hold_timeout},
                               {Failure::kOther, settings.hold_other}}) {
    std::string name = "a" + std::to_string(static_cast<int>(failure));
    table_.add(name, now_);
    ASSERT_TRUE(answer(name, good({1, 2})));
    TimePoint came = now_;
    auto fact = later(name, Part::failed(failure, "gone"));
    ASSERT_TRUE(fact);
    EXPECT_EQ(fact->addresses.size(), 2u);
    EXPECT_EQ(fact->reason, "gone; the last answer is kept");
    do {
      EXPECT_TRUE(table_.has_addresses(name));
      fact = later(name, Part::failed(failure, "gone"));
    } while (!fact);
    EXPECT_EQ(now_, came + hold) << "at its end it is looked at once more";
    EXPECT_THAT(fact->addresses, IsEmpty());
    EXPECT_EQ(fact->reason, "gone");
    EXPECT_FALSE(table_.has_addresses(name));
    table_.remove(name);
  }
}

Part group(std::initializer_list<config::Service> services) {
  Part part;
  part.services = services;
  part.ttl = seconds(10);
  return part;
}

class HeldServicesTest : public NameTableTest {
 protected:
  HeldServicesTest() : NameTableTest(held()) {}
  static Settings held() {
    Settings settings;
    settings.hold_obsolete = minutes(1);
    return settings;
  }
};

TEST_F(NameTableTest, AGroupIsKeptThroughFailuresAsAddressesAre) {
  table_.add("SRV a", now_);
  auto fact = answer("SRV a", group({{0, "x", 80, 1}, {1, "y", 80, 1}}));
  ASSERT_TRUE(fact);
  EXPECT_EQ(fact->reason, "2 servers");
  EXPECT_EQ(fact->present, 2u);
  EXPECT_FALSE(later("SRV a", group({{0, "x", 80, 1}, {1, "y", 80, 1}}))) << "nothing new";
  fact = later("SRV a", Part::failed(Failure::kNoName, "gone"));
  ASSERT_TRUE(fact);
  EXPECT_EQ(fact->reason, "gone; the last answer is kept");
  EXPECT_EQ(fact->services.size(), 2u);
  do {
    fact = later("SRV a", Part::failed(Failure::kNoName, "gone"));
  } while (!fact);
  EXPECT_THAT(fact->services, IsEmpty());
  EXPECT_EQ(later("SRV a", group({{0, "x", 80, 1}}))->reason, "1 server");
}

TEST_F(HeldServicesTest, OneThatIsListedNoMoreStaysForATime) {
  table_.add("SRV a", now_);
  answer("SRV a", group({{0, "x", 80, 1}, {1, "y", 80, 1}}));
  auto fact = later("SRV a", group({{5, "y", 80, 7}}));
  ASSERT_TRUE(fact);
  EXPECT_THAT(fact->services, ElementsAre(config::Service{5, "y", 80, 7}, config::Service{0, "x", 80, 1}))
      << "another weight is no other one";
  EXPECT_EQ(fact->present, 1u);
  TimePoint last_seen{};
  do {
    last_seen = now_;
    fact = later("SRV a", group({{5, "y", 80, 7}}));
  } while (!fact);
  EXPECT_THAT(fact->services, ElementsAre(config::Service{5, "y", 80, 7}));
  EXPECT_LT(last_seen, TimePoint{} + minutes(1)) << "until then it was held";
  EXPECT_GE(now_, TimePoint{} + minutes(1));
}

TEST_F(NameTableTest, AGoodAnswerEndsAFailure) {
  table_.add("a", now_);
  answer("a", good({1}));
  later("a", Part::failed(Failure::kNoName, "gone"));
  auto fact = later("a", good({1}));
  ASSERT_TRUE(fact);
  EXPECT_EQ(fact->reason, "1 address");
}

class HoldsObsolete : public NameTableTest {
 protected:
  static Settings settings() {
    Settings settings;
    settings.hold_obsolete = seconds(30);
    return settings;
  }
  HoldsObsolete() : NameTableTest(settings()) {}
};

TEST_F(HoldsObsolete, AddressesThatAreNotThereAnyMore) {
  table_.add("a", now_);
  answer("a", good({1, 2}));
  TimePoint came = now_;
  auto fact = later("a", good({3, 2}));
  ASSERT_TRUE(fact);
  EXPECT_THAT(texts(*fact), ElementsAre("10.0.0.3:0", "10.0.0.2:0", "10.0.0.1:0"));
  EXPECT_EQ(fact->present, 2u);
  while (now_ + seconds(10) < came + seconds(30)) EXPECT_FALSE(later("a", good({3, 2})));
  do fact = later("a", good({3, 2}));
  while (!fact && now_ < came + minutes(2));
  ASSERT_TRUE(fact);
  EXPECT_GE(now_, came + seconds(30));
  EXPECT_EQ(fact->addresses.size(), 2u);
}

TEST_F(NameTableTest, NamesComeAndGoWhileTheyAreAskedFor) {
  table_.add("a", now_);
  EXPECT_EQ(table_.start_one(now_), "a");
  table_.remove("a");
  EXPECT_EQ(table_.take("a", good({1}), now_), std::nullopt);
  EXPECT_EQ(table_.under_way(), 0u);
  table_.add("a", now_);
  EXPECT_EQ(table_.start_one(now_), "a");
  table_.remove("a");
  table_.add("a", now_);
  EXPECT_EQ(table_.start_one(now_), std::nullopt) << "one question at a time";
  EXPECT_TRUE(table_.take("a", good({1}), now_)) << "whose answer is good";
  table_.remove("a");
  EXPECT_EQ(table_.next(), runtime::kNever);
  EXPECT_EQ(table_.size(), 0u);
}

class FewAtATime : public NameTableTest {
 protected:
  static Settings settings() {
    Settings settings;
    settings.max_under_way = 10;
    return settings;
  }
  FewAtATime() : NameTableTest(settings()) {}
};

// 10,000 names at once, and for an hour: never more than so many at a time, each about as often as its TTL says, and
// after a while spread over the time.
TEST_F(FewAtATime, AreNoStorm) {
  constexpr int kNames = 2'000;
  for (int i = 0; i < kNames; ++i) table_.add("n" + std::to_string(i), now_);
  std::mt19937 random(1);
  std::multimap<TimePoint, std::string> ends;
  std::map<std::string, int> asked;
  std::map<int64_t, int> by_second;
  while (now_ < TimePoint(minutes(20))) {
    while (auto name = table_.start_one(now_)) {
      ++asked[*name];
      ++by_second[std::chrono::floor<seconds>(now_.time_since_epoch()).count()];
      ends.emplace(now_ + milliseconds(1 + random() % 10), *name);
    }
    ASSERT_LE(table_.under_way(), 10u);
    TimePoint next = std::min(table_.next(), ends.empty() ? runtime::kNever : ends.begin()->first);
    ASSERT_GT(next, now_);
    now_ = next;
    while (!ends.empty() && ends.begin()->first <= now_) {
      table_.take(ends.begin()->second, good({1}, seconds(30)), now_);
      ends.erase(ends.begin());
    }
  }
  for (const auto& [name, count] : asked) {
    EXPECT_GE(count, 39) << name;
    EXPECT_LE(count, 20 * 60 / 27 + 2) << name;
  }
  int most = 0;
  for (const auto& [second, count] : by_second) most = second > 600 ? std::max(most, count) : most;
  EXPECT_LE(most, 4 * kNames / 28) << "they do not stay together";
}

TEST(Combine, TakesThePreferredFamily) {
  Part ip4 = good({1}), ip6 = good({2});
  Part none = Part::failed(Failure::kNoName, "none"), silence = Part::failed(Failure::kTimeout, "silence");
  auto addresses = [](const Part& part) { return part.addresses.size(); };
  EXPECT_EQ(combine(ip4, ip6, false).addresses[0], ip(1));
  EXPECT_EQ(combine(none, ip6, true).addresses[0], ip(2)) << "it has only the other";
  EXPECT_EQ(combine(ip4, silence, false).addresses[0], ip(1));
  EXPECT_EQ(combine(silence, ip6, false).addresses[0], ip(2)) << "better than nothing";
  EXPECT_EQ(combine(silence, ip6, true).failure, Failure::kTimeout) << "the last answer is better";
  EXPECT_EQ(combine(none, silence, false).failure, Failure::kTimeout) << "it may have one";
  EXPECT_EQ(combine(none, none, false).failure, Failure::kNoName);
  EXPECT_EQ(addresses(combine(silence, none, false)), 0u);
}

}  // namespace
}  // namespace fairlead::names
