// max_connections of a server: a hard limit over all workers, freed at every end of an exchange.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <optional>
#include <set>

#include "sim_world/http_world.h"
#include "sim_world/raw_exchange.h"
#include "sim_world/scripted_server.h"

namespace fairlead::sim {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;
using testing::StartsWith;

config::Backend patient() {
  config::Backend settings;
  settings.timeouts.response = settings.timeouts.idle = hours(2);
  settings.queue.max_waiting = 0;
  return settings;
}

// In flight over all workers, whatever life of the name it is of.
std::map<std::string, uint64_t> in_flight(ProxyWorld& world) {
  std::map<std::string, uint64_t> counts;
  for (const auto& server : world.statistics("app").servers) counts[server.name] += server.counters.in_flight;
  return counts;
}

Plan slow(uint64_t id, int delay_ms = 10'000) { return {.id = id, .response_size = 10, .delay_ms = delay_ms}; }

class Limits : public testing::Test {
 protected:
  explicit Limits() {
    w_.set_backend(patient());
    w_.open();
  }
  void set_limit(std::optional<uint32_t> limit) {
    w_.world.configuration().set_max_connections("app", "s0", limit);
    w_.world.publish();
  }
  void start(int count, int delay_ms = 10'000) {
    for (int i = 0; i < count; ++i) w_.clients->start({slow(++last_id_, delay_ms)});
    w_.world.network().run_for(seconds(1));
  }
  uint64_t now() { return in_flight(w_.world)["s0"]; }
  std::string ask() {
    Plan plan{.id = ++last_id_, .response_size = 3};
    RawExchange exchange(
        w_, plan.request_head("a").substr(0, plan.request_head("a").size() - 2) + "Connection: close\r\n\r\n");
    exchange.finish();
    return exchange.received;
  }

  HttpWorld w_{1, 2, 1};
  uint64_t last_id_ = 0;
};

TEST_F(Limits, OneMoreThanAllowedGets503AndItsReason) {
  set_limit(3);
  start(3);
  EXPECT_EQ(now(), 3u);
  EXPECT_THAT(ask(), StartsWith("HTTP/1.1 503 "));
  EXPECT_EQ(w_.world.statistics("app").counters.failed[static_cast<int>(observe::Failure::kFull)], 1u);
  EXPECT_EQ(w_.world.statistics("app").counters.failed[static_cast<int>(observe::Failure::kNoServer)], 0u);
  w_.run_clients();
  EXPECT_THAT(ask(), StartsWith("HTTP/1.1 200 "));
  w_.expect_all_exact();
}

TEST_F(Limits, ADefaultHoldsForServersWithoutALimitOfTheirOwn) {
  config::Backend settings = patient();
  settings.default_max_connections = 2;
  w_.set_backend(settings);
  start(2);
  EXPECT_THAT(ask(), StartsWith("HTTP/1.1 503 "));
  set_limit(0);
  EXPECT_THAT(ask(), StartsWith("HTTP/1.1 200 ")) << "0 is no limit, whatever the default";
  set_limit(1);
  EXPECT_THAT(ask(), StartsWith("HTTP/1.1 503 "));
  w_.run_clients();
}

TEST_F(Limits, RaisingAndLoweringHoldsAtOnceAndCutsNothing) {
  set_limit(2);
  start(2);
  set_limit(4);
  start(2);
  EXPECT_EQ(now(), 4u);
  set_limit(1);
  EXPECT_EQ(now(), 4u);
  EXPECT_THAT(ask(), StartsWith("HTTP/1.1 503 "));
  set_limit(5);
  EXPECT_THAT(ask(), StartsWith("HTTP/1.1 200 "));
  w_.run_clients();
  w_.expect_all_exact();
}

TEST_F(Limits, ALimitCountsWhatBeganWhenThereWasNone) {
  start(6);
  EXPECT_EQ(now(), 6u);
  set_limit(6);
  EXPECT_THAT(ask(), StartsWith("HTTP/1.1 503 ")) << "by whichever worker";
  EXPECT_THAT(ask(), StartsWith("HTTP/1.1 503 "));
  set_limit(7);
  EXPECT_THAT(ask(), StartsWith("HTTP/1.1 200 "));
  // Away and back: what is counted already is not counted twice.
  set_limit(std::nullopt);
  start(1);
  set_limit(8);
  EXPECT_THAT(ask(), StartsWith("HTTP/1.1 200 "));
  set_limit(7);
  EXPECT_THAT(ask(), StartsWith("HTTP/1.1 503 "));
  w_.run_clients();
  w_.expect_all_exact();
}

TEST_F(Limits, AServerThatComesBackUnderItsNameIsStillBusy) {
  set_limit(3);
  start(3);
  config::Endpoint address = w_.origins.at("s0")->address();
  bool drained = false;
  w_.world.delete_server("app", "s0", std::nullopt, [&](uint64_t) { drained = true; });
  w_.world.configuration().add_server("app", "s0", address);
  set_limit(3);
  EXPECT_THAT(ask(), StartsWith("HTTP/1.1 503 "));
  set_limit(4);
  EXPECT_THAT(ask(), StartsWith("HTTP/1.1 200 "));
  EXPECT_FALSE(drained);
  w_.run_clients();
  EXPECT_TRUE(w_.world.run_until([&] { return drained; }));
  set_limit(1);
  EXPECT_THAT(ask(), StartsWith("HTTP/1.1 200 "));
}

TEST_F(Limits, AFullServerIsPassedOverByEveryAlgorithm) {
  w_.add_origin();
  start(0);
  using enum config::Algorithm;
  for (auto algorithm : {kRoundRobin, kRandom, kStaticRoundRobin, kLeastConnections, kFirst, kSticky}) {
    config::Backend settings = patient();
    settings.algorithm = algorithm;
    settings.default_max_connections = 2;
    w_.set_backend(settings);
    start(4, 60'000);
    EXPECT_EQ(in_flight(w_.world), (std::map<std::string, uint64_t>{{"s0", 2}, {"s1", 2}}));
    EXPECT_THAT(ask(), StartsWith("HTTP/1.1 503 "));
    w_.run_clients();
  }
  w_.expect_all_exact();
}

TEST_F(Limits, StickyIsOneForAllWorkers) {
  for (int i = 0; i < 3; ++i) w_.add_origin();
  config::Backend settings = patient();
  settings.algorithm = config::Algorithm::kSticky;
  w_.set_backend(settings);
  auto all_at = [&](const std::string& name) {
    start(12);
    auto counts = in_flight(w_.world);
    std::erase_if(counts, [](const auto& entry) { return entry.second == 0; });
    EXPECT_EQ(counts, (std::map<std::string, uint64_t>{{name, 12}}));
    w_.run_clients();
  };
  all_at("s0");
  w_.world.configuration().set_admin_state("app", "s0", config::AdminState::kDrain);
  w_.world.publish();
  all_at("s1");
  w_.world.configuration().set_admin_state("app", "s0", config::AdminState::kReady);
  w_.world.publish();
  all_at("s1");
}

TEST_F(Limits, LeastConnectionsGoesByWhatAllWorkersHave) {
  for (int i = 0; i < 3; ++i) w_.add_origin();
  config::Backend settings = patient();
  settings.algorithm = config::Algorithm::kLeastConnections;
  w_.set_backend(settings);
  for (int i = 0; i < 4; ++i) {
    // One after the other: each sees all before it.
    for (int one = 0; one < 4; ++one) start(1, 1'800'000);
    for (const auto& [name, count] : in_flight(w_.world)) EXPECT_EQ(count, static_cast<uint64_t>(i + 1)) << name;
  }
  w_.run_clients();
  w_.expect_all_exact();
}

// A TCP connection has its place as long as it is open.
TEST(LimitsOfTcp, AConnectionOverTheLimitIsClosed) {
  HttpWorld w(1, 2, 0);
  ScriptedServer server(w.world, [](HttpPeer& peer) -> runtime::Task<void> {
    co_await peer.send("hello\n");
    co_await peer.read_to_end();
  });
  w.world.configuration().add_server("app", "s0", server.address());
  w.world.configuration().set_max_connections("app", "s0", 2);
  w.set_backend(patient());
  config::Listener settings = HttpWorld::listener();
  settings.protocol = config::Protocol::kTcp;
  w.open(settings);
  struct Held {
    static runtime::Task<void> run(HttpPeer& peer, std::string& got) {
      bool connected = co_await peer.connected();
      if (!connected) co_return;
      PeerBody all = co_await peer.read_to_end();
      got = all.bytes;
    }
  };
  {
    runtime::Scope scope(w.world.clients().loop);
    std::array<std::string, 3> got;
    std::vector<std::unique_ptr<HttpPeer>> peers;
    for (auto& text : got) {
      peers.push_back(std::make_unique<HttpPeer>(w.world.clients(), w.address));
      scope.spawn(Held::run(*peers.back(), text));
      w.world.network().run_for(seconds(1));
    }
    EXPECT_EQ(scope.running(), 2u);
    EXPECT_EQ(got[2], "");
    EXPECT_EQ(w.world.statistics("app").counters.failed[static_cast<int>(observe::Failure::kFull)], 1u);
    peers[0]->stream().shutdown_write();
    w.world.network().run_for(seconds(1));
    EXPECT_EQ(got[0], "hello\n");
    std::string late;
    HttpPeer peer(w.world.clients(), w.address);
    scope.spawn(Held::run(peer, late));
    w.world.network().run_for(seconds(1));
    EXPECT_EQ(scope.running(), 2u);
    peer.stream().shutdown_write();
    peers[1]->stream().shutdown_write();
    ASSERT_TRUE(w.world.run_until([&] { return scope.running() == 0; }));
    EXPECT_EQ(late, "hello\n");
  }
}

// All clients of the simulation lead to one server.
config::Persistence by_source() {
  config::Persistence persistence;
  persistence.table.emplace();
  persistence.table->key = *config::parse_hash_key("{source}");
  persistence.table->max_entries = 100;
  persistence.table->expire = seconds(60);
  return persistence;
}

// So that not all of a server's clients come to the others in one instant.
TEST(Drains, EndOverTheirJitter) {
  constexpr uint64_t kRequests = 100;
  HttpWorld w(1, 2, 1);
  w.set_backend(patient());
  w.open();
  for (uint64_t id = 1; id <= kRequests; ++id) w.clients->start({slow(id, 3'600'000)}, {});
  ASSERT_TRUE(w.world.run_until([&] { return in_flight(w.world)["s0"] == kRequests; }));
  std::optional<uint64_t> drained;
  const TimePoint start = w.world.network().now();
  w.world.delete_server("app", "s0", seconds(10), [&](uint64_t cut) { drained = cut; }, seconds(4));
  uint64_t before = 0;
  int moments = 0;
  while (!drained) {
    ASSERT_TRUE(w.world.network().step());
    const uint64_t left = in_flight(w.world)["s0"];
    const Duration passed = w.world.network().now() - start;
    const uint64_t ended = kRequests - left;
    if (ended > 0) EXPECT_GE(passed, seconds(6));
    EXPECT_LE(passed, milliseconds(10'100));
    moments += ended > before;
    before = ended;
  }
  EXPECT_EQ(drained, kRequests);
  EXPECT_GE(w.world.network().now() - start, milliseconds(9'800));
  EXPECT_GE(moments, 32) << "in so many steps, of each of two workers";
}

class LimitSeeds : public testing::TestWithParam<uint64_t> {};
INSTANTIATE_TEST_SUITE_P(Seeds, LimitSeeds, testing::Range<uint64_t>(1, 13));

// Everything at once: origins that fail in every way, resets, clients that leave, time-outs, retries, and a
// configuration that never rests.
TEST_P(LimitSeeds, AreNeverExceededAndAllPlacesComeBack) {
  SCOPED_TRACE(testing::Message() << "seed " << GetParam());
  constexpr uint32_t kLimit = 2;
  constexpr auto kAlgorithms = static_cast<uint64_t>(config::Algorithm::kHash) + 1;  // the last one
  HttpWorld w(GetParam(), 1 + static_cast<int>(GetParam() % 3), 3);
  Random random(GetParam());
  SimFaults faults = SimFaults::rough(random);
  faults.reset = random.chance(0.5) ? 0.005 : 0;
  faults.refuse_connect = random.chance(0.5) ? 0.1 : 0;
  w.world.network().faults() = faults;
  w.open();
  uint64_t id = 0;
  for (int i = 0; i < 10; ++i) {
    std::vector<Plan> plans;
    for (int j = 0; j < 12; ++j) {
      Plan plan = Plan::draw(random, ++id);
      constexpr std::array kFates{Fate::kGood,        Fate::kGood,        Fate::kResetBeforeHead,
                                  Fate::kCloseInHead, Fate::kCloseInBody, Fate::kResetInBody,
                                  Fate::kNonsense,    Fate::kSilence,     Fate::kCloseBeforeHead};
      // What ends with its connection would look whole.
      if (plan.response_framing == Framing::kUntilClose) plan.response_framing = Framing::kChunked;
      if (!plan.early) plan.fate = kFates[random.below(kFates.size())];
      plan.delay_ms = static_cast<int>(random.below(200));
      plans.push_back(plan);
    }
    w.clients->start(std::move(plans), {.pause = milliseconds(random.below(4))});
  }
  std::set<std::string> members{"s0", "s1", "s2"};
  int draining = 0;
  uint64_t most = 0;
  auto change = [&] {
    std::string name = "s" + std::to_string(random.below(3));
    switch (random.below(6)) {
      case 0:
      case 1: {
        config::Backend settings;
        settings.timeouts.response = seconds(random.between(1, 20));
        settings.algorithm = static_cast<config::Algorithm>(random.below(kAlgorithms));
        settings.default_max_connections = kLimit;
        settings.queue.max_waiting = static_cast<uint32_t>(random.below(8));
        settings.queue.timeout = milliseconds(random.between(1, 2'000));
        settings.queue.max_waiting_per_server = static_cast<uint32_t>(random.below(5));
        if (random.chance(0.5)) settings.circuit.max_connections = static_cast<uint32_t>(random.between(1, 6));
        if (random.chance(0.7)) settings.persistence = by_source();
        settings.retry.attempts = static_cast<uint32_t>(random.below(4));
        settings.pool.max_idle = static_cast<uint32_t>(random.below(4));
        w.world.configuration().set_backend("app", settings);
        break;
      }
      case 2:
      case 3: {
        if (!members.contains(name)) break;
        constexpr std::array kStates{config::AdminState::kDrain, config::AdminState::kMaintenance,
                                     config::AdminState::kReady, config::AdminState::kReady};
        auto state = kStates[random.below(kStates.size())];
        w.world.configuration().set_admin_state("app", name, state);
        // What it has in flight is cut off, and it may be READY again before a worker has done so.
        if (state == config::AdminState::kMaintenance) {
          auto record = w.world.configuration().server("app", name);
          w.world.drain(w.world.configuration().backend("app"), *record, false, Duration::zero(), [](uint64_t) {});
        }
        break;
      }
      default: {
        if (!members.contains(name)) {
          members.insert(name);
          w.world.configuration().add_server("app", name, w.origins.at(name)->address());
          break;
        }
        members.erase(name);
        ++draining;
        std::optional<Duration> timeout;
        if (random.chance(0.5)) timeout = milliseconds(random.below(5'000));
        w.world.delete_server("app", name, timeout, [&](uint64_t) { --draining; });
        break;
      }
    }
    w.world.publish();
  };
  config::Backend settings;
  settings.timeouts.response = seconds(5);
  settings.default_max_connections = kLimit;
  w.set_backend(settings);
  while (!w.clients->are_done()) {
    ASSERT_TRUE(w.world.network().step());
    for (const auto& [name, count] : in_flight(w.world)) {
      ASSERT_LE(count, kLimit) << name;
      most = std::max(most, count);
    }
    if (random.chance(0.02)) change();
  }
  w.expect_safe();
  EXPECT_EQ(most, kLimit);
  w.world.network().faults() = {};
  // Nothing is left of any of them: all servers take as much as at first.
  EXPECT_TRUE(w.world.run_until([&] { return draining == 0; }));
  for (const auto& [name, count] : in_flight(w.world)) EXPECT_EQ(count, 0u) << name;
  for (const auto& [name, origin] : w.origins) {
    auto record = base::make_ref<config::Server>();
    record->name = name;
    record->address = origin->address();
    auto load = w.world.shared().load_of(w.world.configuration().backend("app").uid, record);
    EXPECT_EQ(load->in_flight(), 0u) << name;
    EXPECT_EQ(load->waiting(), 0u) << name;
  }
}

}  // namespace
}  // namespace fairlead::sim
