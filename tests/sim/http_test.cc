// HTTP sessions as they are in the product, between scripted clients and origins, over networks drawn from seeds.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "sim_world/http_world.h"

namespace fairlead::sim {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

uint64_t seeds_per_test() {
  const char* text = std::getenv("FAIRLEAD_SIM_SEEDS");
  return text ? std::strtoull(text, nullptr, 10) : 10;
}

// Each parameter is a block of seeds. A failure prints the seed; FAIRLEAD_SIM_SEEDS makes blocks longer.
class Http : public testing::TestWithParam<uint64_t> {
 protected:
  template <typename Story>
  void for_each_seed(Story story) {
    for (uint64_t i = 0; i < seeds_per_test() && !HasFailure(); ++i) {
      uint64_t seed = GetParam() * 1'000'000 + i;
      SCOPED_TRACE(testing::Message() << "seed " << seed);
      story(seed);
    }
  }

  std::vector<Plan> draw_plans(Random& random, size_t count) {
    std::vector<Plan> plans;
    for (size_t i = 0; i < count; ++i) plans.push_back(Plan::draw(random, ++last_id_));
    return plans;
  }

  uint64_t last_id_ = 0;
};
INSTANTIATE_TEST_SUITE_P(Seeds, Http, testing::Range(uint64_t{1}, uint64_t{11}));

void start_clients(HttpWorld& w, Random& random, std::vector<std::vector<Plan>> connections) {
  for (auto& plans : connections) {
    ClientOptions options{.pipelined = random.chance(0.3) ? 4 : 1};
    if (random.chance(0.3)) options.pause = milliseconds(random.below(5'000));
    w.clients->start(std::move(plans), options);
  }
}

TEST_P(Http, EveryRequestGetsExactlyItsOwnResponse) {
  for_each_seed([&](uint64_t seed) {
    HttpWorld w(seed, 1 + static_cast<int>(seed % 2));
    Random random(seed);
    w.world.network().faults() = SimFaults::rough(random);
    w.open();
    std::vector<std::vector<Plan>> connections;
    for (uint64_t i = random.between(1, 6); i > 0; --i)
      connections.push_back(draw_plans(random, random.between(1, 12)));
    start_clients(w, random, std::move(connections));
    w.run_clients();
    w.expect_all_exact();
  });
}

// Servers are added, weighted, drained, put back and deleted while requests run; a deleted server's process ends as
// soon as it is drained. No request fails.
TEST_P(Http, NoRequestNoticesThatServersComeAndGo) {
  for_each_seed([&](uint64_t seed) {
    HttpWorld w(seed, 1 + static_cast<int>(seed % 2), 2);
    Random random(seed);
    w.world.network().faults() = SimFaults::rough(random);
    w.open();
    std::vector<std::vector<Plan>> connections;
    for (int i = 0; i < 6; ++i) connections.push_back(draw_plans(random, 12));
    start_clients(w, random, std::move(connections));

    std::set<std::string> members{"s0", "s1"};
    int draining = 0;
    auto change = [&] {
      auto any = std::next(members.begin(), static_cast<ptrdiff_t>(random.below(members.size())));
      std::string name = *any;
      switch (random.below(5)) {
        case 0:
          members.insert(w.add_origin());
          break;
        case 1:
          w.world.configuration().set_weight("app", name, static_cast<uint16_t>(random.between(1, 256)));
          break;
        case 2:
          w.world.configuration().set_weight("app", name, std::nullopt);
          break;
        case 3: {
          config::Backend settings;
          settings.timeouts.response = settings.timeouts.idle = hours(random.between(2, 3));
          settings.algorithm = random.chance(0.5) ? config::Algorithm::kRandom : config::Algorithm::kRoundRobin;
          settings.pool.max_idle = static_cast<uint32_t>(random.below(4));
          w.world.configuration().set_backend("app", settings);
          break;
        }
        default:
          if (members.size() < 2) break;
          members.erase(name);
          ++draining;
          w.world.delete_server("app", name, std::nullopt, [&, name](uint64_t cut_off) {
            EXPECT_EQ(cut_off, 0u);
            --draining;
            w.origins.at(name)->stop();
          });
          break;
      }
      w.world.publish();
    };
    while (!w.clients->are_done()) {
      ASSERT_TRUE(w.world.network().step());
      if (random.chance(0.05)) change();
    }
    w.expect_all_exact();
    EXPECT_TRUE(w.world.run_until([&] { return draining == 0; }));
  });
}

// Origins that fail in every way at every point. The client sees the response, or an error, or a broken connection.
TEST_P(Http, AnOriginsFailureIsNeverTakenForAResponse) {
  for_each_seed([&](uint64_t seed) {
    HttpWorld w(seed);
    Random random(seed);
    w.world.network().faults() = SimFaults::rough(random);
    w.open();
    std::vector<std::vector<Plan>> connections;
    for (int i = 0; i < 4; ++i) {
      auto plans = draw_plans(random, 10);
      for (Plan& plan : plans) {
        if (plan.response_framing == Framing::kUntilClose) plan.response_framing = Framing::kChunked;
        constexpr std::array kFates{Fate::kGood,        Fate::kResetBeforeHead, Fate::kCloseBeforeHead,
                                    Fate::kCloseInHead, Fate::kCloseInBody,     Fate::kResetInBody,
                                    Fate::kNonsense};
        if (!plan.early) plan.fate = kFates[random.below(kFates.size())];
      }
      connections.push_back(std::move(plans));
    }
    start_clients(w, random, std::move(connections));
    w.run_clients();
    w.expect_safe();
    for (const auto& [id, answer] : w.clients->answers()) {
      const Plan& plan = w.clients->plans().at(id);
      if (plan.fate == Fate::kNonsense || plan.fate == Fate::kCloseInHead) {
        EXPECT_EQ(answer.status, 502) << plan.encode();
      }
    }
  });
}

TEST_P(Http, ResetsAtAnyMomentHarmNobodyElseAndLeaveNothing) {
  RecordProperty("rows", "C2");
  for_each_seed([&](uint64_t seed) {
    HttpWorld w(seed, 2);
    Random random(seed);
    SimFaults faults = SimFaults::rough(random);
    faults.reset = 0.01;
    faults.refuse_connect = random.chance(0.5) ? 0.1 : 0;
    w.world.network().faults() = faults;
    w.open();
    std::vector<std::vector<Plan>> connections;
    for (int i = 0; i < 6; ++i) connections.push_back(draw_plans(random, 10));
    start_clients(w, random, std::move(connections));
    w.run_clients();
    w.expect_safe();
    w.world.network().faults() = {};
  });
}

// A server that closes an idle connection may do so while a request is on its way.
TEST_P(Http, ARequestThatMeetsAClosingConnectionIsRetriedOnlyWhereThatIsSafe) {
  RecordProperty("rows", "155 S6");
  for_each_seed([&](uint64_t seed) {
    HttpWorld w(seed, 1, 1);
    Random random(seed);
    SimFaults faults;
    faults.latency_min = milliseconds(1);
    faults.latency_max = milliseconds(3);
    w.world.network().faults() = faults;
    config::Backend settings;
    settings.retry.attempts = 10;
    w.set_backend(settings);
    for (int i = 0; i < 4; ++i) w.add_origin();
    w.world.publish();
    w.open();
    for (int i = 0; i < 4; ++i) {
      auto plans = draw_plans(random, 20);
      for (Plan& plan : plans) {
        plan.early = plan.close = false;
        plan.request_size = 0;
        plan.expect_continue = false;
        plan.request_framing = Framing::kSized;
        plan.response_framing = Framing::kSized;
        plan.delay_ms = 0;
        plan.close_silently = random.chance(0.5);
      }
      w.clients->start(std::move(plans), {.pause = milliseconds(random.below(4))});
    }
    w.run_clients();
    w.expect_safe();
    for (const auto& [id, answer] : w.clients->answers()) {
      const Plan& plan = w.clients->plans().at(id);
      if (plan.is_idempotent()) {
        EXPECT_TRUE(answer.outcome == Outcome::kExact) << plan.encode() << " status " << answer.status;
      } else if (answer.outcome != Outcome::kExact) {
        EXPECT_EQ(answer.status, 502) << plan.encode();
      }
    }
  });
}

TEST_P(Http, ARefusedConnectIsRetriedOnAnotherServer) {
  for_each_seed([&](uint64_t seed) {
    HttpWorld w(seed, 1, 2);
    Random random(seed);
    // Nobody listens there.
    w.world.configuration().add_server("app", "dead", config::Endpoint::parse("10.9.9.9:80").value());
    w.world.publish();
    w.open();
    for (int i = 0; i < 3; ++i) w.clients->start(draw_plans(random, 10));
    w.run_clients();
    w.expect_all_exact();
    EXPECT_GT(w.world.statistics("app").counters.retried, 0u);
  });
}

TEST_P(Http, ClientsThatVanishLeaveNothing) {
  for_each_seed([&](uint64_t seed) {
    HttpWorld w(seed);
    Random random(seed);
    w.world.network().faults() = SimFaults::rough(random);
    w.open();
    runtime::Scope scope(w.world.clients().loop);
    for (int i = 0; i < 5; ++i) w.clients->start(draw_plans(random, 20));
    int64_t steps = static_cast<int64_t>(random.below(2'000));
    for (int64_t i = 0; i < steps; ++i) w.world.network().step();
    // All connections of the clients break at once; what is started anew goes on.
    for (int fd : w.world.clients().driver.descriptors()) w.world.clients().driver.reset(fd);
    w.run_clients();
    w.expect_safe();
  });
}

}  // namespace
}  // namespace fairlead::sim
