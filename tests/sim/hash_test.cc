// HASH with real sessions on two workers: a key's server, and how its load is bounded.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "sim_world/http_world.h"

namespace fairlead::sim {
namespace {

using config::HashType;
using std::chrono::hours;
using std::chrono::seconds;

std::string name_of(HashType type) {
  constexpr const char* kNames[] = {"Consistent", "Ring", "Maglev", "Modulo"};
  return kNames[static_cast<int>(type)];
}

// All clients come from one address, so there is one key.
class OneKey : public testing::TestWithParam<HashType> {
 protected:
  OneKey() {
    set_factor(std::nullopt);
    w_.open();
  }
  void set_factor(std::optional<uint32_t> percent) {
    config::Backend settings;
    settings.timeouts.response = settings.timeouts.idle = hours(2);
    settings.algorithm = config::Algorithm::kHash;
    settings.hash.key = *config::parse_hash_key("{source}");
    settings.hash.type = GetParam();
    settings.hash.table_size = 251;
    settings.hash.balance_factor = percent;
    w_.set_backend(settings);
  }
  void start(int count) {
    for (int i = 0; i < count; ++i) w_.clients->start({{.id = ++last_id_, .response_size = 10, .delay_ms = 1'000'000}});
    w_.world.network().run_for(seconds(1));
  }
  // Of the servers that have any, the busiest first.
  std::vector<uint64_t> in_flight() {
    std::map<std::string, uint64_t> counts;
    for (const auto& server : w_.world.statistics("app").servers) counts[server.name] += server.counters.in_flight;
    std::vector<uint64_t> busy;
    for (const auto& [name, count] : counts) {
      if (count > 0) busy.push_back(count);
    }
    std::ranges::sort(busy, std::greater());
    return busy;
  }
  uint64_t total() { return w_.world.shared().total_of(w_.world.configuration().backend("app").uid)->in_flight(); }

  HttpWorld w_{1, 2, 4};
  uint64_t last_id_ = 0;
};
INSTANTIATE_TEST_SUITE_P(Types, OneKey,
                         testing::Values(HashType::kConsistent, HashType::kRing, HashType::kMaglev, HashType::kModulo),
                         [](const auto& test) { return name_of(test.param); });

TEST_P(OneKey, HasOneServerOnAllWorkers) {
  start(20);
  EXPECT_EQ(in_flight(), std::vector<uint64_t>{20});
  EXPECT_EQ(total(), 0u) << "nobody asks for it";
  w_.run_clients();
  w_.expect_all_exact();
}

TEST_P(OneKey, IsSpreadWhereLoadIsBounded) {
  set_factor(125);
  start(20);
  EXPECT_EQ(total(), 20u);
  // Up to 125 % of a quarter, rounded up.
  EXPECT_EQ(in_flight(), (std::vector<uint64_t>{7, 6, 6, 1}));
  w_.run_clients();
  w_.expect_all_exact();
  EXPECT_EQ(total(), 0u);
  start(1);
  EXPECT_EQ(in_flight(), std::vector<uint64_t>{1});
  w_.run_clients();
}

TEST_P(OneKey, ABoundCountsWhatBeganWithoutIt) {
  start(12);
  set_factor(125);
  w_.world.network().run_for(seconds(1));
  EXPECT_EQ(total(), 12u);
  start(4);
  // Of 16 in flight nobody is to have more than five: the second server has four.
  EXPECT_EQ(in_flight(), (std::vector<uint64_t>{12, 4}));
  set_factor(0);
  start(2);
  EXPECT_EQ(in_flight(), (std::vector<uint64_t>{14, 4}));
  set_factor(101);
  w_.world.network().run_for(seconds(1));
  EXPECT_EQ(total(), 18u) << "each once";
  w_.run_clients();
  EXPECT_EQ(total(), 0u);
  w_.expect_all_exact();
}

TEST_P(OneKey, IsPassedOnWhereItsServerIsFull) {
  std::string owner;
  start(1);
  for (const auto& server : w_.world.statistics("app").servers) {
    if (server.counters.in_flight > 0) owner = server.name;
  }
  w_.world.configuration().set_max_connections("app", owner, 3);
  w_.world.publish();
  start(9);
  EXPECT_EQ(in_flight(), (std::vector<uint64_t>{7, 3}));
  w_.run_clients();
  w_.expect_all_exact();
}

}  // namespace
}  // namespace fairlead::sim
