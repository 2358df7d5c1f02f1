#include "server/worker.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <deque>
#include <mutex>

#include "config/snapshot.h"
#include "test_support/random.h"

namespace fairlead::server {
namespace {

using std::chrono::seconds;
using test_support::Random;

// For whatever should take no time at all.
constexpr auto kDeadline = seconds(30);

// A worker without listeners, and who publishes to it.
class WorkerTest : public testing::Test {
 protected:
  WorkerTest() {
    worker_.emplace(WorkerOptions{.seed = 1, .shared = shared_, .via_name = "test"}, make_snapshot(),
                    [this] { adopted(); });
  }
  ~WorkerTest() override {
    if (!started_) return;
    worker_->stop(seconds(1), runtime::Duration::zero());
    worker_->join();
  }

  void start() {
    started_ = true;
    worker_->start();
  }
  config::Revision publish() {
    worker_->publish(make_snapshot());
    return revision_;
  }
  // False: the worker sleeps through it.
  bool adopts(config::Revision revision) {
    std::unique_lock lock(mutex_);
    bool seen = changed_.wait_for(lock, kDeadline, [&] { return adopted_ >= revision; });
    while (snapshots_.front()->revision < revision) snapshots_.pop_front();
    return seen;
  }

  upstream::Shared shared_;
  std::optional<Worker> worker_;
  int adoptions_ = 0;             // guarded by mutex_
  config::Revision adopted_ = 0;  // guarded by mutex_
  std::mutex mutex_;

 private:
  const config::Snapshot* make_snapshot() {
    auto snapshot = base::make_ref<config::Snapshot>();
    snapshot->revision = ++revision_;
    snapshots_.push_back(std::move(snapshot));
    return snapshots_.back().get();
  }
  void adopted() {
    std::lock_guard lock(mutex_);
    ++adoptions_;
    adopted_ = worker_->adopted_revision();
    changed_.notify_one();
  }

  bool started_ = false;
  config::Revision revision_ = 0;
  // Those that the worker may look at.
  std::deque<base::Ref<const config::Snapshot>> snapshots_;
  std::condition_variable changed_;
};

TEST_F(WorkerTest, OfWhatWasPublishedBeforeItsTurnItAdoptsTheNewest) {
  publish();
  publish();
  config::Revision newest = publish();
  start();
  ASSERT_TRUE(adopts(newest));
  std::lock_guard lock(mutex_);
  EXPECT_EQ(adoptions_, 1);
}

TEST_F(WorkerTest, EveryPublicationWakesAWorkerThatSleeps) {
  start();
  for (int i = 0; i < 2'000; ++i) ASSERT_TRUE(adopts(publish())) << "publication " << i;
}

// A worker that takes one snapshot has to be woken for the next, whether or not it was about to look once more. The
// second publication comes at moments drawn around that one.
TEST_F(WorkerTest, APublicationWhileItAdoptsTheOneBeforeIsNeverSleptThrough) {
  constexpr uint64_t kSeed = 20261124;
  SCOPED_TRACE(testing::Message() << "seed " << kSeed);
  Random random(kSeed);
  start();
  for (int round = 0; round < 20'000; ++round) {
    // The worker is held at the end of a turn, and goes on into the next: so it is known when it looks.
    std::atomic<bool> held = false;
    std::atomic<bool> let_go = false;
    worker_->post([&](Worker&) {
      held = true;
      while (!let_go) {
      }
    });
    while (!held) {
    }
    publish();
    let_go = true;
    for (volatile uint64_t i = random.below(3'000); i > 0; i = i - 1) {
    }
    ASSERT_TRUE(adopts(publish())) << "round " << round;
  }
}

}  // namespace
}  // namespace fairlead::server
