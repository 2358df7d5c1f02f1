// Hours of a backend with everything on: checks, ejections, slow start, limits, a queue and further tries, while
// machines fail in every way for minutes and members come and go.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <random>

#include "runtime/sleep.h"
#include "sim_world/outlier_world.h"
#include "sim_world/scripted_server.h"

namespace fairlead::sim {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

enum class Mood : uint8_t {
  kWell,
  // Longer than a client would like, but not too long.
  kSlow,
  // Only its checks are answered well.
  kErrors,
  kResets,
  kGarbage,
  // Checks and requests alike.
  kSilent,
  kUnwell,
};
constexpr int kMoods = 7;

struct Machine {
  std::unique_ptr<ScriptedServer> server;
  Mood mood = Mood::kWell;
  // Empty: no member.
  std::string name;
  // Since when the data plane knows that it must send nothing: no member, down or ejected.
  std::optional<TimePoint> closed_since;
  uint64_t serving = 0;
  uint64_t most_serving = 0;
  uint64_t requests = 0;
  uint64_t strays = 0;
};

class Hours : public testing::Test {
 protected:
  static constexpr size_t kMachines = 8;
  static constexpr uint32_t kLimit = 2;
  static constexpr int kClients = 16;
  static constexpr Duration kResponseTimeout = seconds(3);
  static constexpr Duration kQueueTimeout = seconds(10);
  static constexpr uint32_t kAttempts = 3;

  Hours() {
    config::Backend settings;
    config::HealthCheck& check = settings.health_check.emplace();
    check.kind.emplace<config::HttpCheck>().path = "/healthz";
    check.interval = seconds(5);
    check.fast_interval = seconds(1);
    check.timeout = seconds(1);
    check.rise = 2;
    check.fall = 2;
    settings.outlier_detection.emplace().base_ejection_time = seconds(20);
    settings.slow_start.window = seconds(30);
    settings.default_max_connections = kLimit;
    settings.queue.timeout = kQueueTimeout;
    settings.timeouts.response = kResponseTimeout;
    settings.retry.attempts = kAttempts;
    settings.retry.conditions = {config::RetryCondition::kConnectFailure, config::RetryCondition::kReset,
                                 config::RetryCondition::kEmptyResponse, config::RetryCondition::kTimeout,
                                 config::RetryCondition::kBadResponse};
    settings.retry.statuses = {500};
    w_.set(settings);
    w_.on_told = [this] { look(); };
    machines_.resize(kMachines);
    for (Machine& machine : machines_) {
      machine.server =
          std::make_unique<ScriptedServer>(w_.world, [this, &machine](HttpPeer& peer) { return serve(peer, machine); });
      add(machine);
    }
    config::Listener listener;
    listener.default_backend = "app";
    address_ = w_.world.open_listener("web", listener);
  }
  ~Hours() override {
    w_.close();
    w_.world.shut_down();
  }

  TimePoint now() { return w_.world.network().now(); }
  Random& random() { return w_.world.random(); }
  runtime::Sleep sleep_at_origins(Duration time) { return {w_.world.origins().loop, now() + time}; }
  runtime::Sleep sleep_at_clients(Duration time) { return {w_.world.clients().loop, now() + time}; }

  Task<void> serve(HttpPeer& peer, Machine& machine) {
    while (true) {
      std::optional<PeerHead> head = co_await peer.read_head();
      if (!head) co_return;
      const bool is_check = head->start_line.starts_with("GET /healthz ");
      const Mood mood = machine.mood;
      if (mood == Mood::kSilent) {
        co_await peer.read_head();  // until the other side has had enough
        co_return;
      }
      int status = mood == Mood::kUnwell ? 503 : 200;
      if (!is_check) {
        ++machine.requests;
        machine.strays += machine.closed_since && *machine.closed_since < now();
        machine.most_serving = std::max(machine.most_serving, ++machine.serving);
        co_await sleep_at_origins(mood == Mood::kSlow ? random().between(seconds(1), seconds(2))
                                                      : random().between(milliseconds(50), milliseconds(300)));
        --machine.serving;
        if (mood == Mood::kResets) w_.world.origins().driver.reset(peer.stream().channel().fd());
        if (mood == Mood::kResets) co_return;
        if (mood == Mood::kErrors) status = 500;
      }
      std::string answer = mood == Mood::kGarbage && !is_check
                               ? "SSH-2.0\r\n\r\n"
                               : "HTTP/1.1 " + std::to_string(status) + " Whatever\r\nContent-Length: 0\r\n\r\n";
      bool sent = co_await peer.send(std::move(answer));
      if (!sent) co_return;
    }
  }

  Task<void> ask() {
    while (!over_) {
      HttpPeer peer(w_.world.clients(), address_);
      bool connected = co_await peer.connected();
      while (connected && !over_) {
        const TimePoint began = now();
        bool sent = co_await peer.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        if (random().chance(0.02)) {
          // It does not want to know.
          co_await sleep_at_clients(random().between(milliseconds(0), milliseconds(200)));
          break;
        }
        std::optional<PeerHead> head;
        if (sent) head = co_await peer.read_head();
        ++answers_[head ? head->status() : 0];
        longest_ = std::max<Duration>(longest_, now() - began);
        if (!head) break;
        co_await peer.read_body(*head, false);
        co_await sleep_at_clients(random().between(milliseconds(200), milliseconds(1800)));
      }
    }
  }

  // What the data plane knows by now; who is let in again begins slowly.
  void look() {
    for (Machine& machine : machines_) {
      const bool is_open = !machine.name.empty() && w_.world.configuration().is_fit("app", machine.name);
      if (is_open && machine.closed_since) begin_slowly(machine);
      if (is_open) machine.closed_since.reset();
      if (!is_open && !machine.closed_since) machine.closed_since = now();
    }
  }
  void begin_slowly(const Machine& machine) {
    w_.world.configuration().begin_slowly("app", machine.name, now().time_since_epoch());
    w_.world.publish();
  }
  void add(Machine& machine) {
    machine.name = "s" + std::to_string(++last_name_);
    machine.closed_since.reset();
    w_.add(machine.name, machine.server->address());
    begin_slowly(machine);
  }
  void remove(Machine& machine) {
    w_.remove(std::exchange(machine.name, ""));
    look();
  }
  uint64_t answered() const {
    uint64_t sum = 0;
    for (auto [status, count] : answers_) sum += count;
    return sum;
  }

  const char* given_ = std::getenv("FAIRLEAD_TEST_SEED");
  const uint64_t seed_ = given_ ? std::strtoull(given_, nullptr, 10) : std::random_device()();
  testing::ScopedTrace trace_{__FILE__, __LINE__, "FAIRLEAD_TEST_SEED=" + std::to_string(seed_)};
  OutlierWorld w_{seed_};
  std::vector<Machine> machines_;
  config::Endpoint address_;
  int last_name_ = 0;
  bool over_ = false;
  std::map<int, uint64_t> answers_;
  Duration longest_{};
};

TEST_F(Hours, EverythingHoldsAndNothingIsLeftOver) {
  runtime::Scope clients(w_.world.clients().loop);
  for (int client = 0; client < kClients; ++client) clients.spawn(ask());
  const TimePoint end = now() + hours(6);
  while (now() < end) {
    // The first is always well, and always there.
    Machine& machine = machines_[1 + random().below(kMachines - 1)];
    if (random().chance(0.3)) {
      machine.name.empty() ? add(machine) : remove(machine);
    } else {
      machine.mood = random().chance(0.5) ? Mood::kWell : static_cast<Mood>(random().below(kMoods));
    }
    // So that who was a member and comes again is done with what it had.
    w_.run_for(random().between(seconds(12), seconds(60)));
  }
  const auto then = w_.world.statistics("app").counters;
  EXPECT_GT(answered(), 100'000u);
  EXPECT_GE(answers_[200], answered() * 98 / 100);
  EXPECT_EQ(answers_[0], 0u) << "each gets an answer";
  EXPECT_LE(longest_, (kAttempts + 1) * (kQueueTimeout + kResponseTimeout));
  // All of it has happened.
  EXPECT_GT(w_.told.size(), 20u);
  EXPECT_GT(w_.checks.size(), 100u);
  EXPECT_GT(then.retried, 100u);
  EXPECT_GT(then.waited, 100u);

  // When all are well again, so is the backend, as if nothing had been.
  for (Machine& machine : machines_) {
    machine.mood = Mood::kWell;
    if (machine.name.empty()) add(machine);
  }
  w_.run_for(minutes(10));
  for (Machine& machine : machines_) EXPECT_FALSE(machine.closed_since) << machine.name;
  EXPECT_EQ(w_.ejected(), 0u);
  answers_.clear();
  for (Machine& machine : machines_) machine.requests = 0;
  w_.run_for(minutes(10));
  EXPECT_EQ(answers_.size(), 1u) << "nothing but 200";
  for (const Machine& machine : machines_) {
    EXPECT_NEAR(static_cast<double>(machine.requests), static_cast<double>(answered()) / kMachines,
                static_cast<double>(answered()) / kMachines * 0.1)
        << machine.name;
  }

  over_ = true;
  EXPECT_TRUE(w_.world.run_until([&] { return clients.running() == 0; }, minutes(1)));
  w_.run_for(minutes(1));
  const auto at_last = w_.world.statistics("app");
  EXPECT_EQ(at_last.counters.in_flight, 0u);
  EXPECT_EQ(at_last.counters.queued, 0u);
  for (const auto& server : at_last.servers) EXPECT_EQ(server.counters.idle, 0u) << server.name;
  for (const Machine& machine : machines_) {
    EXPECT_EQ(machine.strays, 0u) << machine.name;
    EXPECT_LE(machine.most_serving, kLimit) << machine.name;
  }
}

}  // namespace
}  // namespace fairlead::sim
