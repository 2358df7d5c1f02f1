// Other servers are tried after what the backend's policy chooses, and after nothing else.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/sleep.h"
#include "sim_world/http_world.h"
#include "sim_world/raw_exchange.h"

namespace fairlead::sim {
namespace {

using config::RetryCondition;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::StartsWith;

config::RetryPolicy on(RetryCondition condition) {
  config::RetryPolicy policy;
  policy.conditions = {condition};
  return policy;
}

config::RetryPolicy on_statuses(std::vector<uint16_t> statuses) {
  config::RetryPolicy policy;
  policy.statuses = std::move(statuses);
  return policy;
}

class Retries : public testing::Test {
 protected:
  // What a client gets that sends this request and no other.
  std::string talk(const Plan& plan, const config::RetryPolicy& policy) {
    config::Backend settings;
    settings.timeouts = {.connect = seconds(30), .response = seconds(30), .idle = hours(1)};
    settings.retry = policy;
    // On a reused connection more may be tried again.
    settings.pool.max_idle = 0;
    w_.set_backend(settings);
    config::Listener listener = HttpWorld::listener();
    listener.timeouts.keep_alive = milliseconds(1);
    if (!w_.clients) w_.open(listener);
    RawExchange exchange(w_, plan.request_head("sim.test") + plan.request_body());
    exchange.finish();
    took_ = exchange.took;
    return exchange.received;
  }
  // The same, where the body comes later than the head, in two parts.
  std::string talk_slowly(const Plan& plan, const config::RetryPolicy& policy) {
    talk({.id = 999}, policy);
    test_support::Random random(1);
    const std::string body = plan.framed_request_body(random);
    HttpPeer peer(w_.world.clients(), w_.address);
    runtime::Scope scope(w_.world.clients().loop);
    std::string received;
    auto run = [&]() -> runtime::Task<void> {
      bool connected = co_await peer.connected();
      EXPECT_TRUE(connected);
      co_await peer.send(plan.request_head("sim.test"));
      for (std::string_view part : {std::string_view(body).substr(0, 7), std::string_view(body).substr(7)}) {
        co_await runtime::Sleep(w_.world.clients().loop, w_.world.network().now() + milliseconds(500));
        co_await peer.send(std::string(part));
      }
      PeerBody all = co_await peer.read_to_end();
      received = std::move(all.bytes);
    };
    scope.spawn(run());
    EXPECT_TRUE(w_.world.run_until([&] { return scope.running() == 0; }));
    return received;
  }
  int tries(const Plan& plan) { return w_.seen.requests[plan.id]; }

  HttpWorld w_{1};
  Duration took_{};
};

struct Row {
  const char* name;
  Fate fate;
  RetryCondition condition;
  const char* status_without;
};

constexpr Row kRows[] = {
    {"Reset", Fate::kResetBeforeHead, RetryCondition::kReset, "HTTP/1.1 502 "},
    {"Empty", Fate::kCloseBeforeHead, RetryCondition::kEmptyResponse, "HTTP/1.1 502 "},
    {"CutHead", Fate::kCloseInHead, RetryCondition::kReset, "HTTP/1.1 502 "},
    {"Timeout", Fate::kSilence, RetryCondition::kTimeout, "HTTP/1.1 504 "},
    {"Nonsense", Fate::kNonsense, RetryCondition::kBadResponse, "HTTP/1.1 502 "},
};

class RetriesOn : public Retries, public testing::WithParamInterface<Row> {};

TEST_P(RetriesOn, ItsConditionAndNoOther) {
  const Row& row = GetParam();
  Plan plan{.id = 1, .response_size = 100, .fate = row.fate, .fated_tries = 2};
  EXPECT_THAT(talk(plan, on(row.condition)), StartsWith("HTTP/1.1 200 "));
  EXPECT_EQ(tries(plan), 3);
  for (RetryCondition other : {RetryCondition::kConnectFailure, RetryCondition::kReset, RetryCondition::kEmptyResponse,
                               RetryCondition::kTimeout, RetryCondition::kBadResponse}) {
    if (other == row.condition) continue;
    ++plan.id;
    EXPECT_THAT(talk(plan, on(other)), StartsWith(row.status_without)) << static_cast<int>(other);
    EXPECT_EQ(tries(plan), 1);
  }
}

TEST_P(RetriesOn, ItsConditionForOthersThanIdempotentMethodsWhereThatIsSaid) {
  const Row& row = GetParam();
  Plan plan{.id = 1, .method = "POST", .request_size = 20, .fate = row.fate, .fated_tries = 1};
  EXPECT_THAT(talk(plan, on(row.condition)), StartsWith(row.status_without));
  EXPECT_EQ(tries(plan), 1);
  config::RetryPolicy also_twice = on(row.condition);
  also_twice.non_idempotent = true;
  plan.id = 2;
  EXPECT_THAT(talk(plan, also_twice), StartsWith("HTTP/1.1 200 "));
  EXPECT_EQ(tries(plan), 2);
  EXPECT_TRUE(w_.seen.whole_bodies.contains(2));
  EXPECT_TRUE(w_.seen.wrong_bodies.empty());
}

// A small one is kept for that, whenever it comes.
TEST_P(RetriesOn, ItsConditionWhereTheBodyComesLater) {
  const Row& row = GetParam();
  for (Framing framing : {Framing::kSized, Framing::kChunked}) {
    for (size_t size : {20, 12'000, 20'000}) {
      Plan plan{.id = size + static_cast<uint64_t>(framing),
                .method = "PUT",
                .request_size = size,
                .request_framing = framing,
                .response_size = 5,
                .fate = row.fate,
                .fated_tries = 2};
      const bool is_kept = size < 16'000;
      EXPECT_THAT(talk_slowly(plan, on(row.condition)), StartsWith(is_kept ? "HTTP/1.1 200 " : row.status_without))
          << size;
      EXPECT_EQ(tries(plan), is_kept ? 3 : 1) << size;
      EXPECT_TRUE(w_.seen.whole_bodies.contains(plan.id)) << size;
      EXPECT_TRUE(w_.seen.wrong_bodies.empty());
    }
  }
}

TEST_P(RetriesOn, AreAsManyAsAllowed) {
  const Row& row = GetParam();
  Plan plan{.id = 1, .fate = row.fate};
  config::RetryPolicy policy = on(row.condition);
  policy.attempts = 5;
  EXPECT_THAT(talk(plan, policy), StartsWith(row.status_without));
  EXPECT_EQ(tries(plan), 6);
}

// What has been passed on cannot be taken back.
TEST_P(RetriesOn, NothingOnceAnInterimResponseWasPassedOn) {
  const Row& row = GetParam();
  Plan plan{.id = 1, .interim_responses = 1, .delay_ms = 10'000, .fate = row.fate, .fated_tries = 1};
  std::string received = talk(plan, on(row.condition));
  EXPECT_THAT(received, StartsWith("HTTP/1.1 103 "));
  EXPECT_NE(received.find(row.status_without), std::string::npos) << received;
  EXPECT_EQ(tries(plan), 1);
}

INSTANTIATE_TEST_SUITE_P(All, RetriesOn, testing::ValuesIn(kRows), [](const auto& row) { return row.param.name; });

TEST_F(Retries, AStatusThatIsListedIsTriedAgainAndTheLastOneIsPassedOn) {
  Plan plan{.id = 1, .status = 503, .response_size = 5'000, .fated_tries = 1};
  EXPECT_THAT(talk(plan, on_statuses({500, 503})), StartsWith("HTTP/1.1 200 "));
  EXPECT_EQ(tries(plan), 2);
  Plan always{.id = 2, .status = 503, .response_size = 5'000};
  config::RetryPolicy once = on_statuses({503});
  once.attempts = 1;
  std::string received = talk(always, once);
  EXPECT_THAT(received, StartsWith("HTTP/1.1 503 "));
  EXPECT_NE(received.find(always.expected_body()), std::string::npos);
  EXPECT_EQ(tries(always), 2);
  Plan other{.id = 3, .status = 502};
  EXPECT_THAT(talk(other, on_statuses({503})), StartsWith("HTTP/1.1 502 "));
  EXPECT_EQ(tries(other), 1);
  Plan post{.id = 4, .method = "POST", .request_size = 9, .status = 503};
  EXPECT_THAT(talk(post, on_statuses({503})), StartsWith("HTTP/1.1 503 "));
  EXPECT_EQ(tries(post), 1);
}

// The rest of a response that was not wanted is nobody's next response.
TEST_F(Retries, AConnectionWithAnUnwantedResponseIsNotUsedAgain) {
  for (uint64_t id = 1; id <= 40; ++id) {
    Plan plan{.id = id, .status = 503, .response_size = 100'000, .fated_tries = 1};
    std::string received = talk(plan, on_statuses({503}));
    EXPECT_THAT(received, StartsWith("HTTP/1.1 200 "));
    EXPECT_NE(received.find(plan.expected_body()), std::string::npos);
  }
}

TEST_F(Retries, ATryHasATimeOfItsOwn) {
  Plan plan{.id = 1, .fate = Fate::kSilence, .fated_tries = 2};
  config::RetryPolicy policy = on(RetryCondition::kTimeout);
  policy.per_try_timeout = seconds(4);
  EXPECT_THAT(talk(plan, policy), StartsWith("HTTP/1.1 200 "));
  EXPECT_EQ(tries(plan), 3);
  EXPECT_GE(took_, seconds(8));
  EXPECT_LT(took_, seconds(20));
  Plan silent{.id = 2, .fate = Fate::kSilence};
  policy.conditions.clear();
  EXPECT_THAT(talk(silent, policy), StartsWith("HTTP/1.1 504 "));
  EXPECT_EQ(tries(silent), 1);
  EXPECT_LT(took_, seconds(10));
}

TEST_F(Retries, BackOffGrowsUpToItsMost) {
  Plan plan{.id = 1, .fate = Fate::kCloseBeforeHead};
  config::RetryPolicy policy = on(RetryCondition::kEmptyResponse);
  policy.attempts = 6;
  talk(plan, policy);
  EXPECT_EQ(tries(plan), 7);
  Duration without = took_;
  policy.back_off = {.base = seconds(1), .max = seconds(3)};
  plan.id = 2;
  talk(plan, policy);
  EXPECT_EQ(tries(plan), 7);
  // 1 + 2 + 3 + 3 + 3 + 3 s, or half of each.
  EXPECT_GE(took_, milliseconds(7'500));
  EXPECT_LE(took_, without + seconds(25));
}

// A client that leaves in a pause is noticed, and nothing more is sent for it.
TEST_F(Retries, NobodyIsTriedForAClientThatHasLeft) {
  config::Backend settings;
  settings.retry = on(RetryCondition::kEmptyResponse);
  settings.retry.attempts = 10;
  settings.retry.back_off.base = seconds(10);
  w_.set_backend(settings);
  w_.open();
  struct Leaving {
    static runtime::Task<void> run(HttpWorld& w, const Plan& plan) {
      HttpPeer peer(w.world.clients(), w.address);
      co_await peer.connected();
      co_await peer.send(plan.request_head("sim.test"));
      while (w.seen.requests[plan.id] == 0) {
        co_await runtime::Sleep(w.world.clients().loop, w.world.network().now() + milliseconds(10));
      }
      w.world.clients().driver.reset(peer.stream().channel().fd());
    }
  };
  Plan plan{.id = 1, .fate = Fate::kCloseBeforeHead};
  runtime::Scope scope(w_.world.clients().loop);
  scope.spawn(Leaving::run(w_, plan));
  ASSERT_TRUE(w_.world.run_until([&] { return scope.running() == 0; }));
  TimePoint left = w_.world.network().now();
  w_.world.run_until([&] { return w_.world.network().now() > left + seconds(60); });
  EXPECT_EQ(tries(plan), 1);
}

}  // namespace
}  // namespace fairlead::sim
