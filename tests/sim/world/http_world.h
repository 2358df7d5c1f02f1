// A proxy with HTTP listeners, its clients and its origins, and what must hold of all that they did.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "sim_world/http_client.h"
#include "sim_world/origin.h"

namespace fairlead::sim {

// A world with one backend and its origins, most often behind one listener.
class HttpWorld {
 public:
  explicit HttpWorld(uint64_t seed, int workers = 1, int servers = 3) : world(seed, workers) {
    config::Backend settings;
    settings.timeouts.response = std::chrono::hours(2);  // what hangs is seen by the client first
    settings.timeouts.idle = std::chrono::hours(2);
    set_backend(settings);
    for (int i = 0; i < servers; ++i) add_origin();
    world.publish();
  }

  void set_backend(const config::Backend& settings) {
    world.configuration().set_backend("app", settings);
    world.publish();
  }
  std::string add_origin() {
    std::string name = "s" + std::to_string(next_origin_++);
    origins[name] = std::make_unique<Origin>(world, seen);
    world.configuration().add_server("app", name, origins[name]->address());
    return name;
  }
  // With long timeouts, as a network may be slow.
  static config::Listener listener() {
    config::Listener settings;
    settings.default_backend = "app";
    settings.timeouts = {
        .request_head = std::chrono::hours(2), .keep_alive = std::chrono::hours(2), .idle = std::chrono::hours(2)};
    return settings;
  }
  void open(const config::Listener& settings = listener()) {
    address = world.open_listener("web", settings);
    clients.emplace(world, address);
  }
  void run_clients() {
    ASSERT_TRUE(world.run_until([&] { return clients->are_done(); }, std::chrono::hours(24 * 365)));
  }

  // What holds whatever happens.
  void expect_safe() {
    for (const auto& [id, answer] : clients->answers()) {
      const Plan& plan = clients->plans().at(id);
      EXPECT_TRUE(answer.outcome != Outcome::kWrong && answer.outcome != Outcome::kHung)
          << "exchange " << plan.encode() << ": " << answer.note;
      if (!plan.is_idempotent()) EXPECT_LE(seen.requests[id], 1) << "sent twice: " << plan.encode();
    }
    EXPECT_TRUE(seen.wrong_bodies.empty());
    EXPECT_THAT(seen.strange, testing::IsEmpty());
  }
  // And where nothing breaks.
  void expect_all_exact() {
    expect_safe();
    EXPECT_EQ(clients->answers().size(), clients->plans().size());
    for (const auto& [id, answer] : clients->answers()) {
      const Plan& plan = clients->plans().at(id);
      EXPECT_TRUE(answer.outcome == Outcome::kExact)
          << "exchange " << plan.encode() << ": status " << answer.status << ", seen " << seen.requests[id];
      EXPECT_EQ(seen.requests[id], 1) << plan.encode();
      // A response that ends before the request does ends the exchange.
      EXPECT_TRUE(plan.early || seen.whole_bodies.contains(id)) << plan.encode();
    }
  }
  ~HttpWorld() {
    clients.reset();
    world.shut_down();
  }

  ProxyWorld world;
  Seen seen;
  std::map<std::string, std::unique_ptr<Origin>> origins;
  std::optional<HttpClients> clients;
  config::Endpoint address;

 private:
  int next_origin_ = 0;
};

}  // namespace fairlead::sim
