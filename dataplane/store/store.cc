#include "store/store.h"

#include <pthread.h>

#include <random>
#include <utility>

#include "config/text.h"

namespace fairlead::store {
namespace {

// Random, so that a client that comes back sees that its knowledge is of another life. 0 means none in the schema.
uint64_t draw_epoch() {
  std::random_device device;
  uint64_t epoch = (uint64_t{device()} << 32) | device();
  return epoch == 0 ? 1 : epoch;
}

api::Failure not_taken(uint64_t id, Inbox::Posted posted, const Limits& limits) {
  std::string title = config::concat("transaction ", id);
  if (posted == Inbox::Posted::kClosed) {
    return {v1::REASON_SHUTTING_DOWN, title, "", "the data plane is shutting down"};
  }
  return {v1::REASON_LIMIT_EXCEEDED, title, "",
          config::concat(limits.waiting_requests, " requests wait already; try again later")};
}

api::Failure handed_over(uint64_t id) {
  return {v1::REASON_SHUTTING_DOWN, config::concat("transaction ", id), "",
          "another process is taking over; try again"};
}

}  // namespace

Store::Store(ReadingHalf& reading_half, Limits limits)
    : epoch_(draw_epoch()),
      limits_(limits),
      inbox_(std::make_shared<Inbox>(limits_.waiting_requests)),
      writer_(reading_half, limits_, inbox_),
      thread_([this] { run(); }) {}

Store::~Store() { stop(); }

void Store::apply(Transaction transaction, ApplyOptions options, std::function<void(Result)> done) {
  uint64_t id = transaction.id;
  Inbox::Task task = [this, options, done, work = std::move(transaction)]() mutable {
    if (handed_over_) return done(refused(work.id, version(), handed_over(work.id)));
    writer_.apply(std::move(work), options, std::move(done));
    version_.store(writer_.reader().version(), std::memory_order_release);
  };
  Inbox::Posted posted = inbox_->post(task);
  if (posted != Inbox::Posted::kYes) done(refused(id, version(), not_taken(id, posted, limits_)));
}

Store::Posted Store::read(std::function<void(Reader&)> reading) {
  Inbox::Task task = [this, reading = std::move(reading)] {
    // Nobody is told of what is not published (and, once there is a journal, not on disk).
    writer_.commit();
    reading(writer_.reader());
  };
  switch (inbox_->post(task)) {
    case Inbox::Posted::kYes:
      return Posted::kYes;
    case Inbox::Posted::kFull:
      return Posted::kBusy;
    case Inbox::Posted::kClosed:
      break;
  }
  return Posted::kShuttingDown;
}

void Store::hand_over_journal(std::function<void()> done) {
  inbox_->post_fact([this, done = std::move(done)] {
    writer_.commit();
    handed_over_ = true;
    done();
  });
}

void Store::take_back_journal(std::function<void(absl::Status)> done) {
  inbox_->post_fact([this, done = std::move(done)] {
    handed_over_ = false;
    done(absl::OkStatus());
  });
}

void Store::stop(absl::Duration patience) {
  if (!thread_.joinable()) return;
  patience_ns_ = absl::ToInt64Nanoseconds(patience);
  inbox_->close();
  thread_.join();
}

void Store::run() {
  pthread_setname_np(pthread_self(), "store");
  while (!inbox_->closed()) run_tasks(inbox_->take());
  using Clock = std::chrono::steady_clock;
  Clock::time_point deadline = Clock::now() + std::chrono::nanoseconds(patience_ns_.load());
  run_tasks(inbox_->take_until(Clock::now()));
  while (writer_.has_pending() && Clock::now() < deadline) run_tasks(inbox_->take_until(deadline));
  writer_.give_up();
}

void Store::run_tasks(std::vector<Inbox::Task> tasks) {
  for (Inbox::Task& task : tasks) {
    task();
    if (writer_.is_batch_full()) writer_.commit();
  }
  writer_.commit();
}

}  // namespace fairlead::store
