// Servers whose health flaps while members come and go, under requests: nothing is sent to who is known to fail.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <random>

#include "runtime/sleep.h"
#include "sim_world/health_world.h"
#include "sim_world/scripted_server.h"

namespace fairlead::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

// A machine that a server of the configuration stands for, or not at the moment.
struct Machine {
  std::unique_ptr<ScriptedServer> server;
  bool is_well = true;
  // Empty: no member.
  std::string name;
  // Since when the data plane knows that it must send nothing: no member, or unfit.
  std::optional<TimePoint> closed_since;
  int requests = 0;
  int strays = 0;
};

class Flapping : public testing::Test {
 protected:
  static constexpr size_t kMachines = 12;

  Flapping() {
    config::HealthCheck check;
    check.kind.emplace<config::HttpCheck>().path = "/healthz";
    check.interval = milliseconds(100);
    check.fast_interval = milliseconds(30);
    check.rise = 2;
    check.fall = 2;
    w_.set_check(check);
    machines_.resize(kMachines);
    for (Machine& machine : machines_) {
      machine.closed_since = w_.world.network().now();
      machine.server =
          std::make_unique<ScriptedServer>(w_.world, [this, &machine](HttpPeer& peer) { return serve(peer, machine); });
    }
    config::Listener listener;
    listener.default_backend = "app";
    address_ = w_.world.open_listener("web", listener);
    w_.on_told = [this] { look(); };
  }
  ~Flapping() override {
    w_.close();
    w_.world.shut_down();
  }

  Task<void> serve(HttpPeer& peer, Machine& machine) {
    while (true) {
      std::optional<PeerHead> head = co_await peer.read_head();
      if (!head) co_return;
      bool is_check = head->start_line.starts_with("GET /healthz ");
      if (!is_check) {
        ++machine.requests;
        machine.strays += machine.closed_since && *machine.closed_since < w_.world.network().now();
        co_await runtime::Sleep(w_.world.origins().loop, w_.world.network().now() + milliseconds(5));
      }
      bool sent = co_await peer.send(is_check && !machine.is_well ? "HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"
                                                                  : "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
      if (!sent) co_return;
    }
  }
  Task<void> ask() {
    HttpPeer peer(w_.world.clients(), address_);
    bool connected = co_await peer.connected();
    while (connected && !over_) {
      bool sent = co_await peer.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
      std::optional<PeerHead> head;
      if (sent) head = co_await peer.read_head();
      if (!head || head->status() != 200) ++failed_;
      if (!head) co_return;
      ++answered_;
    }
  }

  // What the data plane knows by now.
  void look() {
    for (Machine& machine : machines_) {
      bool is_open = !machine.name.empty() && w_.world.configuration().is_fit("app", machine.name);
      if (is_open) machine.closed_since.reset();
      if (!is_open && !machine.closed_since) machine.closed_since = w_.world.network().now();
    }
  }
  void add(Machine& machine) {
    machine.name = "s" + std::to_string(++last_name_);
    w_.add(machine.name, machine.server->address());
  }
  void remove(Machine& machine) {
    w_.remove(std::exchange(machine.name, ""));
    look();
  }

  const char* given_ = std::getenv("FAIRLEAD_TEST_SEED");
  const uint64_t seed_ = given_ ? std::strtoull(given_, nullptr, 10) : std::random_device()();
  HealthWorld w_{seed_, 2, {.seed = seed_}};
  std::vector<Machine> machines_;
  config::Endpoint address_;
  int last_name_ = 0;
  bool over_ = false;
  int answered_ = 0;
  int failed_ = 0;
};

TEST_F(Flapping, NothingIsSentToWhoIsKnownToFail) {
  SCOPED_TRACE("FAIRLEAD_TEST_SEED=" + std::to_string(seed_));
  Random& random = w_.world.random();
  // The first is always well, and always there: so no request has to fail.
  add(machines_.front());
  ASSERT_TRUE(w_.world.run_until([&] { return !machines_.front().closed_since; }, seconds(5)));
  runtime::Scope scope(w_.world.clients().loop);
  for (int client = 0; client < 8; ++client) scope.spawn(ask());
  for (int step = 0; step < 3'000; ++step) {
    Machine& machine = machines_[1 + random.below(kMachines - 1)];
    switch (random.below(4)) {
      case 0:
        machine.is_well = random.chance(0.6);
        break;
      case 1:
        if (machine.name.empty()) add(machine);
        break;
      case 2:
        if (!machine.name.empty() && random.chance(0.5)) remove(machine);
        break;
      default:
        if (machine.name.empty()) break;
        w_.world.configuration().set_weight("app", machine.name, static_cast<uint16_t>(1 + random.below(4)));
        w_.world.publish();
    }
    // Some 50 changes a second.
    w_.run_for(milliseconds(random.between(5, 35)));
  }
  over_ = true;
  EXPECT_TRUE(w_.world.run_until([&] { return scope.running() == 0; }, minutes(1)));
  EXPECT_EQ(failed_, 0);
  EXPECT_GT(answered_, 10'000);
  int served = 0;
  for (const Machine& machine : machines_) {
    EXPECT_EQ(machine.strays, 0);
    served += machine.requests > 0;
  }
  EXPECT_EQ(served, static_cast<int>(kMachines)) << "all have had their time";
  EXPECT_GT(w_.all.size(), 300u) << "health has changed often";
}

}  // namespace
}  // namespace fairlead::sim
