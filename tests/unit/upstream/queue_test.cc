// Workers on real threads that share servers with few places: whoever waits is served, in turn, and no limit is passed.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "runtime/epoll_driver.h"
#include "runtime/scope.h"
#include "runtime/sleep.h"
#include "upstream/upstreams.h"

namespace fairlead::upstream {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr config::BackendHandle kBackend{0, 7};
constexpr uint32_t kServers = 2;

// With one backend, of so many servers that take `limit` each.
base::Ref<const config::Snapshot> make_snapshot(config::Revision revision, uint32_t limit,
                                                uint32_t servers = kServers) {
  auto settings = base::make_ref<config::Backend>();
  settings->metadata.uid = kBackend.uid;
  settings->default_max_connections = limit;
  settings->queue.max_waiting_per_server = 1000;
  auto backend = base::make_ref<config::BackendSnapshot>();
  backend->revision = revision;
  backend->settings = settings;
  backend->counts_in_flight = true;
  for (config::Slot slot = 0; slot < servers; ++slot) {
    auto server = base::make_ref<config::Server>();
    server->slot = slot;
    server->metadata.uid = 10 + slot;
    server->name = "s" + std::to_string(slot);
    server->address = config::Endpoint(config::Ip4Endpoint{0x0a000001, static_cast<uint16_t>(80 + slot)});
    backend->eligible.upsert(base::Ref<const config::Server>(server));
  }
  auto snapshot = base::make_ref<config::Snapshot>();
  snapshot->version = snapshot->revision = revision;
  snapshot->backends.set(kBackend.slot, base::Ref<const config::BackendSnapshot>(backend));
  return snapshot;
}

struct Tally {
  std::atomic<uint32_t> inside = 0;
  std::atomic<uint32_t> most = 0;
  std::atomic<uint64_t> served = 0;
  std::atomic<uint64_t> waited = 0;
  std::atomic<uint64_t> waited_for_one = 0;
  std::atomic<uint64_t> timed_out = 0;

  void enter() {
    uint32_t now = ++inside;
    uint32_t seen = most;
    while (seen < now && !most.compare_exchange_weak(seen, now)) continue;
    ++served;
  }
};

// A worker as far as queues need one. Its clients take a place, keep it for some turns, and come again.
class Worker {
 public:
  Worker(Shared& shared, Tally& tally, uint64_t seed, const base::Ref<const config::Snapshot>& snapshot)
      : tally_(tally), random_(seed), upstreams_(loop_, random_, shared), published_(snapshot.get()) {
    upstreams_.adopt(snapshot.get());
    loop_.set_turn_hook([this] {
      const config::Snapshot* newest = published_.load(std::memory_order_acquire);
      if (newest != &upstreams_.snapshot()) upstreams_.adopt(newest);
    });
  }

  void start(int clients, int rounds) {
    thread_ = std::thread([this, clients, rounds] {
      running_ = clients;
      for (int i = 0; i < clients; ++i) clients_.spawn(client(rounds));
      loop_.run();
    });
  }
  void publish(const base::Ref<const config::Snapshot>& snapshot) {
    published_.store(snapshot.get(), std::memory_order_release);
    loop_.wake();
  }
  void join() { thread_.join(); }

 private:
  runtime::Task<void> client(int rounds) {
    int pair[2];
    FAIRLEAD_CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0);
    {
      runtime::Channel channel(loop_, pair[0]);
      for (int i = 0; i < rounds; ++i) {
        // One in ten has no patience.
        bool hasty = random_.below(10) == 0;
        co_await once(channel, hasty ? runtime::Duration(milliseconds(1)) : runtime::Duration(seconds(60)), hasty);
      }
    }
    ::close(pair[1]);
    if (--running_ == 0) loop_.stop();
  }

  runtime::Task<void> once(runtime::Channel& channel, runtime::Duration patience, bool hasty) {
    Upstreams::Found found = upstreams_.find(kBackend);
    // One in three belongs to a server, as long as that is there.
    const config::Slot slot = static_cast<config::Slot>(random_.below(3 * kServers));
    auto preferred = [&](const config::BackendSnapshot& members) -> const config::Server* {
      const base::Ref<const config::Server>* server = members.find_eligible(slot);
      return server ? server->get() : nullptr;
    };
    Admission admission = found.backend->admit(*found.members, {}, {}, preferred(*found.members));
    if (!admission) {
      ++tally_.waited;
      Waiting waiting(
          found.backend->line(), channel,
          {.priority = static_cast<uint8_t>(random_.below(config::kPriorities)), .deadline = loop_.now() + patience});
      const bool entered = found.backend->enter(waiting, *found.members, preferred(*found.members));
      FAIRLEAD_CHECK(entered);
      if (waiting.wanted() != 0) ++tally_.waited_for_one;
      while (!admission && !waiting.is_over()) {
        co_await waiting.woken();
        const config::BackendSnapshot& members = *upstreams_.find(kBackend).members;
        admission = found.backend->admit_waiting(waiting, members, {}, {}, preferred(members));
      }
      if (!admission && !hasty) ++tally_.timed_out;
    }
    if (!admission) co_return;
    Lease lease(std::move(admission), channel);
    tally_.enter();
    co_await runtime::Sleep(loop_, loop_.now() + runtime::Duration(random_.below(100'000)));
    --tally_.inside;
  }

  Tally& tally_;
  runtime::EpollDriver driver_;
  runtime::Loop loop_{driver_};
  base::Random random_;
  Upstreams upstreams_;
  std::atomic<const config::Snapshot*> published_;
  runtime::Scope clients_{loop_};
  int running_ = 0;
  std::thread thread_;
};

TEST(Queue, EveryoneIsServedWhateverTheThreadsDo) {
  constexpr int kWorkers = 3;
  constexpr int kClients = 10;
  constexpr int kRounds = 100;
  Shared shared;
  Tally tally;
  std::vector<base::Ref<const config::Snapshot>> snapshots{make_snapshot(1, 2)};
  std::vector<std::unique_ptr<Worker>> workers;
  for (int i = 0; i < kWorkers; ++i) {
    workers.push_back(std::make_unique<Worker>(shared, tally, 100 + static_cast<uint64_t>(i), snapshots.front()));
  }
  for (auto& worker : workers) worker->start(kClients, kRounds);
  for (auto& worker : workers) worker->join();
  EXPECT_EQ(tally.timed_out, 0u) << "somebody was forgotten";
  EXPECT_EQ(tally.most, 2 * kServers);
  EXPECT_GT(tally.waited, tally.served / 2);
  EXPECT_GT(tally.waited_for_one, tally.served / 10);
  EXPECT_GT(tally.served, uint64_t{kWorkers} * kClients * kRounds / 2);
  EXPECT_EQ(shared.queue_of(kBackend.uid)->waiting(), 0u);
  workers.clear();
}

// Whoever comes for one server between a place's being let go and its being taken does not overtake who takes any.
TEST(Queue, WhoWantsOneServerLooksBehindThoseThatCameBefore) {
  using Look = SharedQueue::Turn::Look;
  runtime::EpollDriver driver;
  runtime::Loop loop(driver);
  auto queue = std::make_shared<SharedQueue>();
  base::List<Line> busy;
  Line line(loop, queue, kBackend, busy);
  auto seat = std::make_shared<QueueSeat>(loop, line);
  QueueEntry any(seat, config::kPriorityDefault);
  QueueEntry one(seat, config::kPriorityDefault);
  const SharedQueue::Limits limits{.all = 10, .for_server = 10};
  ASSERT_TRUE(queue->enter(any, limits, {}));
  EXPECT_EQ(queue->next_turn(any).look, Look::kAll);
  EXPECT_EQ(queue->next_turn(any).look, Look::kNothing);
  queue->note_free({.slot = 0, .server = 10}, seat.get());
  ASSERT_TRUE(queue->enter(one, limits, {.slot = 0, .server = 10}));
  EXPECT_EQ(queue->next_turn(one).look, Look::kNothing) << "it is offered to the one before";
  EXPECT_EQ(queue->next_turn(any).look, Look::kServer);
  // Which cannot use it.
  while (queue->next_turn(any).look != Look::kNothing) continue;
  EXPECT_EQ(queue->next_turn(one).look, Look::kServer);
  queue->leave(one, false);
  queue->leave(any, false);
}

TEST(Queue, AChangeOfLimitsFindsThoseThatWaitOnEveryThread) {
  Shared shared;
  Tally tally;
  std::vector<base::Ref<const config::Snapshot>> snapshots;
  for (config::Revision revision = 1; revision <= 200; ++revision) {
    snapshots.push_back(make_snapshot(revision, revision % 2 == 1 ? 1 : 4, revision % 5 == 0 ? 1 : kServers));
  }
  std::vector<std::unique_ptr<Worker>> workers;
  for (int i = 0; i < 2; ++i) {
    workers.push_back(std::make_unique<Worker>(shared, tally, 200 + static_cast<uint64_t>(i), snapshots.front()));
  }
  for (auto& worker : workers) worker->start(10, 100);
  for (const auto& snapshot : snapshots) {
    uint64_t served = tally.served;
    for (auto& worker : workers) worker->publish(snapshot);
    for (int i = 0; i < 1000 && tally.served < served + 5; ++i) std::this_thread::yield();
  }
  for (auto& worker : workers) worker->join();
  EXPECT_EQ(tally.timed_out, 0u) << "somebody was forgotten";
  EXPECT_LE(tally.most, 4 * kServers);
  workers.clear();
}

}  // namespace
}  // namespace fairlead::upstream
