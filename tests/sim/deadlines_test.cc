// From when a timeout counts, and until when: what resources.proto says of each.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "runtime/sleep.h"
#include "sim_world/http_world.h"
#include "sim_world/scripted_server.h"

namespace fairlead::sim {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

// Bytes, each part so long after the one before.
using Parts = std::vector<std::pair<Duration, std::string>>;

Task<void> send_in_parts(HttpPeer& peer, const Parts& parts) {
  for (const auto& [pause, bytes] : parts) {
    runtime::Loop& loop = peer.stream().loop();
    if (pause > Duration::zero()) co_await runtime::Sleep(loop, loop.now() + pause);
    co_await peer.send(bytes);
  }
}

// One client and one server that say what a test tells them, whatever the other says.
class Deadlines : public testing::Test {
 protected:
  Deadlines() {
    w_.world.configuration().set_backend("alone");
    w_.world.configuration().add_server("alone", "s", server_.address());
    listener_.default_backend = "alone";
  }

  void talk(const Parts& from_client, const Parts& from_server) {
    w_.world.configuration().set_backend("alone", backend_);
    w_.open(listener_);
    from_server_ = from_server;
    runtime::Scope scope(w_.world.clients().loop);
    start_ = w_.world.network().now();
    scope.spawn(ask(from_client));
    if (after_a_second_) scope.spawn(interfere());
    ASSERT_TRUE(w_.world.run_until([&] { return scope.running() == 0; }));
  }

  static config::Backend patient() {
    config::Backend settings;
    settings.timeouts = {.connect = hours(1), .response = hours(1), .idle = hours(1)};
    return settings;
  }

  HttpWorld w_{1};
  config::Backend backend_ = patient();
  config::Listener listener_ = HttpWorld::listener();
  std::function<void()> after_a_second_;
  std::string received_;
  Duration took_{};

  TimePoint start_;

 private:
  Task<void> ask(Parts parts) {
    HttpPeer peer(w_.world.clients(), w_.address);
    bool connected = co_await peer.connected();
    EXPECT_TRUE(connected);
    co_await send_in_parts(peer, parts);
    PeerBody all = co_await peer.read_to_end();
    received_ = all.bytes;
    took_ = w_.world.network().now() - start_;
  }
  Task<void> serve(HttpPeer& peer) {
    auto head = co_await peer.read_head();
    if (head) co_await send_in_parts(peer, from_server_);
    co_await peer.read_to_end();
  }

  Task<void> interfere() {
    runtime::Loop& loop = w_.world.clients().loop;
    co_await runtime::Sleep(loop, loop.now() + seconds(1));
    after_a_second_();
  }

  Parts from_server_;
  ScriptedServer server_{w_.world, [this](HttpPeer& peer) { return serve(peer); }};
};

const std::string kRequest = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

TEST_F(Deadlines, TheFirstHeadsTimeCountsFromTheConnectionsStart) {
  listener_.timeouts.request_head = seconds(10);
  talk({{seconds(8), "GET / HT"}}, {});
  EXPECT_THAT(received_, StartsWith("HTTP/1.1 408 "));
  EXPECT_GE(took_, seconds(10));
  EXPECT_LE(took_, seconds(13));  // and the time of lingering
}

TEST_F(Deadlines, AResponsesTimeCountsUntilItsHeadIsComplete) {
  backend_.timeouts.response = seconds(10);
  talk({{Duration::zero(), kRequest}},
       {{seconds(8), "HTTP/1.1 200 OK\r\n"}, {seconds(8), "Content-Length: 0\r\n\r\n"}});
  EXPECT_THAT(received_, StartsWith("HTTP/1.1 504 "));
  EXPECT_GE(took_, seconds(10));
  EXPECT_LE(took_, seconds(13));
}

TEST_F(Deadlines, InterimResponsesGiveTheFinalOneNoMoreTime) {
  backend_.timeouts.response = seconds(10);
  const std::string interim = "HTTP/1.1 103 Early Hints\r\n\r\n";
  talk({{Duration::zero(), kRequest}}, {{seconds(6), interim}, {seconds(6), interim}, {seconds(6), interim}});
  EXPECT_THAT(received_, HasSubstr("HTTP/1.1 504 "));
  EXPECT_LE(took_, seconds(13));
}

TEST_F(Deadlines, AResponsesTimeDoesNotCountWhileTheRequestIsSent) {
  backend_.timeouts.response = seconds(10);
  Parts slow_upload = {
      {Duration::zero(), "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 40\r\n\r\n"}};
  for (int i = 0; i < 4; ++i) slow_upload.emplace_back(seconds(9), "0123456789");
  talk(slow_upload, {{seconds(40), "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"}});
  EXPECT_THAT(received_, StartsWith("HTTP/1.1 200 "));
}

// Who waits for 100 before he sends is waited for by nobody: until then it is the server's time.
class Expecting : public Deadlines {
 protected:
  Expecting() {
    listener_.timeouts.idle = seconds(5);
    listener_.minimum_rates = {.body = 1000, .grace = seconds(1)};
    backend_.timeouts.response = seconds(20);
  }
  const std::string head_ =
      "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n";
  const std::string continue_ = "HTTP/1.1 100 Continue\r\n\r\n";
  const std::string done_ = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
};

TEST_F(Expecting, TheTimeUntil100IsNotTheClients) {
  talk({{Duration::zero(), head_}, {seconds(12), "hello"}},
       {{seconds(11) + milliseconds(500), continue_}, {seconds(5), done_}});
  EXPECT_THAT(received_, StartsWith("HTTP/1.1 100 "));
  EXPECT_THAT(received_, HasSubstr("HTTP/1.1 200 "));
}

TEST_F(Expecting, From100OnItIs) {
  talk({{Duration::zero(), head_}}, {{seconds(11), continue_}});
  EXPECT_THAT(received_, HasSubstr("HTTP/1.1 408 "));
  EXPECT_GE(took_, seconds(12));
  EXPECT_LE(took_, seconds(15));
}

TEST_F(Expecting, AnotherInterimResponseIsNot100) {
  talk({{Duration::zero(), head_}, {seconds(14) + milliseconds(500), "hello"}},
       {{seconds(5), "HTTP/1.1 103 Early Hints\r\n\r\n"}, {seconds(9), continue_}, {seconds(5), done_}});
  EXPECT_THAT(received_, HasSubstr("HTTP/1.1 200 "));
}

TEST_F(Expecting, AServerThatSaysNothingHasTheTimeOfAResponse) {
  talk({{Duration::zero(), head_}}, {});
  EXPECT_THAT(received_, StartsWith("HTTP/1.1 504 "));
  EXPECT_GE(took_, seconds(20));
  EXPECT_LE(took_, seconds(23));
}

TEST_F(Expecting, WhoSendsWithoutWaitingIsHeldToHisTime) {
  talk({{Duration::zero(), head_}, {seconds(3), "he"}}, {});
  EXPECT_THAT(received_, StartsWith("HTTP/1.1 408 "));
  EXPECT_LE(took_, seconds(7));
}

TEST_F(Expecting, AnAnswerInPlaceOf100MayTakeItsTime) {
  talk({{Duration::zero(), head_}},
       {{seconds(9), "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"}, {seconds(9), "01234"}, {seconds(9), "56789"}});
  EXPECT_THAT(received_, EndsWith("0123456789"));
}

TEST_F(Deadlines, ATunnelIsIdleForTheShorterOfWhatBothSidesAllow) {
  const std::string upgrade = "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n";
  const std::string switched = "HTTP/1.1 101 OK\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n";
  listener_.timeouts.idle = seconds(20);
  talk({{Duration::zero(), upgrade}}, {{Duration::zero(), switched}});
  EXPECT_THAT(received_, StartsWith("HTTP/1.1 101 "));
  EXPECT_GE(took_, seconds(20));
  EXPECT_LE(took_, seconds(23));
}

// The client does not read: interim heads pile up before it.
TEST_F(Deadlines, ADrainEndsAtItsDeadlineAlsoWhileAnInterimResponseIsSent) {
  const std::string large = "HTTP/1.1 103 Early Hints\r\nLink: " + std::string(15'000, 'x') + "\r\n\r\n";
  Duration drained{};
  uint64_t cut_off = 0;
  after_a_second_ = [&] {
    w_.world.delete_server("alone", "s", seconds(10), [&](uint64_t count) {
      drained = w_.world.network().now() - start_;
      cut_off = count;
    });
  };
  talk({{Duration::zero(), kRequest}, {seconds(60), ""}}, Parts(15, {Duration::zero(), large}));
  EXPECT_EQ(cut_off, 1u);
  EXPECT_GE(drained, seconds(11));
  EXPECT_LE(drained, seconds(12));
  EXPECT_THAT(received_, Not(HasSubstr("503")));
}

}  // namespace
}  // namespace fairlead::sim
