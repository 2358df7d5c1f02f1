// Uploads that end before their time: because the server breaks, the client errs or stalls, or the response is there.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "runtime/sleep.h"
#include "sim_world/http_world.h"
#include "sim_world/scripted_server.h"

namespace fairlead::sim {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::StartsWith;

constexpr std::string_view kSmuggled = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";

// A client and a server that act in the same moment, so that what they do reaches the worker in one turn; which of them
// is first there is drawn from the seed.
class UploadWorld {
 public:
  explicit UploadWorld(uint64_t seed, Duration idle = hours(2)) : w(seed, 1, 0) {
    w.world.network().faults().latency_min = w.world.network().faults().latency_max = milliseconds(1);
    w.world.network().faults().capacity_min = w.world.network().faults().capacity_max = 4 << 20;
    server.emplace(w.world, [this](HttpPeer& peer) { return serve(peer); });
    w.world.configuration().add_server("app", "scripted", server->address());
    w.world.publish();
    config::Listener settings = HttpWorld::listener();
    settings.timeouts.idle = idle;
    w.open(settings);
    moment = w.world.network().now() + seconds(1);
  }
  // Lets the proxy close its connections before the server's end is waited for.
  ~UploadWorld() {
    w.clients.reset();
    w.world.shut_down();
  }

  void run(std::string head, std::string body) {
    runtime::Scope scope(w.world.clients().loop);
    scope.spawn(upload(std::move(head), std::move(body)));
    ASSERT_TRUE(w.world.run_until([&] { return scope.running() == 0; })) << "the client waits for ever";
  }

  HttpWorld w;
  TimePoint moment;
  // What the server does then.
  bool server_resets = false;
  std::string server_says;
  // What the client still sends at the end of a body that it had promised.
  std::string said_late;

  std::vector<std::string> seen;
  std::string received;
  TimePoint ended;

 private:
  runtime::Task<void> upload(std::string head, std::string body) {
    HttpPeer peer(w.world.clients(), w.address);
    bool connected = co_await peer.connected();
    EXPECT_TRUE(connected);
    co_await peer.send(std::move(head));
    co_await runtime::Sleep(w.world.clients().loop, moment);
    co_await peer.send(std::move(body));
    if (!said_late.empty()) {
      co_await runtime::Sleep(w.world.clients().loop, moment + minutes(1));
      co_await peer.send(said_late);
    }
    PeerBody all = co_await peer.read_to_end();
    received = all.bytes;
    ended = w.world.network().now();
  }
  runtime::Task<void> serve(HttpPeer& peer) {
    auto head = co_await peer.read_head();
    if (!head) co_return;
    seen.push_back(head->start_line);
    co_await runtime::Sleep(w.world.origins().loop, moment);
    if (server_resets) {
      peer.stream().reset_on_close();
      co_return;
    }
    co_await peer.send(server_says);
    co_await peer.read_to_end();
  }

  std::optional<ScriptedServer> server;
};

class Upload : public testing::TestWithParam<uint64_t> {};
INSTANTIATE_TEST_SUITE_P(Seeds, Upload, testing::Range(uint64_t{1}, uint64_t{21}));

// One answer, a close, and nothing that the server would take for a request.
void expect_one_answer(const UploadWorld& u, const char* status) {
  EXPECT_THAT(u.received, StartsWith(status));
  EXPECT_EQ(u.received.find("HTTP/1.1 ", 1), std::string::npos) << u.received;
  EXPECT_THAT(u.seen, ElementsAre("POST / HTTP/1.1"));
}

std::string sized_head(size_t size) {
  return "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(size) + "\r\n\r\n";
}
constexpr const char* kChunkedHead = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";

// Its last bytes are read, and cannot be sent on: they are the body's still.
TEST_P(Upload, ABodyThatTheServerDidNotTakeIsNotReadAsARequest) {
  SCOPED_TRACE(testing::Message() << "seed " << GetParam());
  UploadWorld u(GetParam());
  u.server_resets = true;
  u.run(sized_head(kSmuggled.size()), std::string(kSmuggled));
  expect_one_answer(u, "HTTP/1.1 502 ");
}

TEST_P(Upload, WhatStandsBehindAMalformedChunkIsNotReadAsARequest) {
  SCOPED_TRACE(testing::Message() << "seed " << GetParam());
  UploadWorld u(GetParam());
  u.run(kChunkedHead, "5\r\nhello\r\nnonsense\r\n" + std::string(kSmuggled));
  expect_one_answer(u, "HTTP/1.1 400 ");
}

TEST_P(Upload, WhatComesAfterAnUploadTimedOutIsNotReadAsARequest) {
  SCOPED_TRACE(testing::Message() << "seed " << GetParam());
  UploadWorld u(GetParam(), seconds(10));
  u.said_late = kSmuggled;
  u.run(sized_head(5 + kSmuggled.size()), "hello");
  expect_one_answer(u, "HTTP/1.1 408 ");
}

TEST_P(Upload, TheRestOfABodyThatWasAnsweredEarlyIsNotReadAsARequest) {
  SCOPED_TRACE(testing::Message() << "seed " << GetParam());
  UploadWorld u(GetParam());
  u.server_says = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
  u.said_late = kSmuggled;
  u.run(sized_head(5 + kSmuggled.size()), "hello");
  expect_one_answer(u, "HTTP/1.1 200 ");
}

// The upload has read so much at a stretch that it has to let others go first, and the response comes to its end just
// then: nobody waits for the client, and what it has sent last is not enough to go on with. How many reads a stretch
// has is not the test's business.
TEST_P(Upload, AResponseThatEndsBetweenTwoReadsOfTheUploadEndsTheUploadToo) {
  SCOPED_TRACE(testing::Message() << "seed " << GetParam());
  for (size_t reads = 8; reads <= 36; ++reads) {
    UploadWorld u(GetParam());
    u.server_says = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    std::string size = absl::StrCat(absl::Hex(reads * net::kBufferSize), "\r\n");
    u.run(kChunkedHead + size, std::string(reads * net::kBufferSize, 'x') + "\r\n5");
    expect_one_answer(u, "HTTP/1.1 200 ");
    ASSERT_LE(u.ended, u.moment + seconds(10)) << reads << " reads";
  }
}

}  // namespace
}  // namespace fairlead::sim
