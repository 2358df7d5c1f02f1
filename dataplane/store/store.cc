#include "store/store.h"

#include <pthread.h>

#include <random>
#include <utility>

#include "absl/time/clock.h"
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

}  // namespace

Store::Store(ReadingHalf& reading_half, Limits limits, std::unique_ptr<journal::Journal> journal, std::string zone,
             std::shared_ptr<const tls::Seal> seal)
    : epoch_(draw_epoch()),
      limits_(limits),
      inbox_(std::make_shared<Inbox>(limits_.waiting_requests)),
      writer_(reading_half, limits_, inbox_, std::move(journal), std::move(zone), std::move(seal)) {}

Store::Store(ReadingHalf& reading_half, Limits limits) : Store(reading_half, limits, nullptr, {}, nullptr) { start(); }

absl::StatusOr<std::unique_ptr<Store>> Store::open(ReadingHalf& reading_half, Limits limits,
                                                   std::unique_ptr<journal::Journal> journal, std::string zone,
                                                   std::shared_ptr<const tls::Seal> seal) {
  std::unique_ptr<Store> self(new Store(reading_half, limits, std::move(journal), std::move(zone), std::move(seal)));
  if (self->journal()) {
    if (absl::Status loaded = self->load(); !loaded.ok()) return loaded;
  }
  self->start();
  return self;
}

absl::Status Store::load() {
  absl::Time begin = absl::Now();
  loaded_.from_new_journal = journal()->is_new();
  absl::StatusOr<uint64_t> resources = writer_.load(epoch_);
  if (!resources.ok()) return resources.status();
  loaded_.resources = *resources;
  loaded_.time = absl::Now() - begin;
  epoch_ = journal()->state().epoch;
  version_.store(writer_.reader().version(), std::memory_order_release);
  return absl::OkStatus();
}

void Store::start() {
  thread_ = std::thread([this] { run(); });
}

Store::~Store() { stop(); }

void Store::apply(Transaction transaction, ApplyOptions options, std::function<void(Result)> done) {
  uint64_t id = transaction.id;
  uint64_t session = transaction.origin->session;
  auto work = [this, options, done, transaction = std::move(transaction)]() mutable {
    writer_.apply(std::move(transaction), options, std::move(done));
  };
  post(id, session, std::move(work), std::move(done));
}

void Store::begin_resync(BeginResync request, ApplyOptions options, std::function<void(Result)> done) {
  uint64_t id = request.id;
  auto work = [this, options, done, request = std::move(request)] { writer_.begin_resync(request, options, done); };
  post(id, /*named_in=*/0, std::move(work), std::move(done));
}

void Store::end_resync(EndResync request, ApplyOptions options, std::function<void(Result)> done) {
  uint64_t id = request.id;
  auto work = [this, options, done, request = std::move(request)] { writer_.end_resync(request, options, done); };
  post(id, /*named_in=*/0, std::move(work), std::move(done));
}

// Where there is no room the refusal takes its turn all the same: an answer stands for those before it as well.
void Store::post(uint64_t id, uint64_t named_in, Inbox::Task work, std::function<void(Result)> done) {
  switch (Inbox::Posted posted = inbox_->post(work)) {
    case Inbox::Posted::kYes:
      return;
    case Inbox::Posted::kFull:
      return inbox_->post_fact([this, id, named_in, posted, done = std::move(done)] {
        writer_.refuse(id, not_taken(id, posted, limits_), named_in, done);
      });
    case Inbox::Posted::kClosed:
      return done(refused(id, version(), not_taken(id, posted, limits_)));
  }
}

Store::Posted Store::read(std::function<void(Reader&)> reading) {
  Inbox::Task task = [this, reading = std::move(reading)] {
    // Nobody is told of what is not on disk and published.
    commit();
    reading(writer_.reader());
  };
  return to_posted(inbox_->post(task));
}

Store::Posted Store::open_session(uint64_t session, std::optional<ElectionId> id,
                                  std::function<void(Reader&)> reading) {
  Inbox::Task task = [this, session, id, reading = std::move(reading)] {
    if (id) writer_.announce(session, *id);
    commit();
    reading(writer_.reader());
  };
  return to_posted(inbox_->post(task));
}

void Store::close_session(uint64_t session) {
  inbox_->post_fact([this, session] { writer_.forget_session(session); });
}

Store::Posted Store::to_posted(Inbox::Posted posted) {
  switch (posted) {
    case Inbox::Posted::kYes:
      return Posted::kYes;
    case Inbox::Posted::kFull:
      return Posted::kBusy;
    case Inbox::Posted::kClosed:
      break;
  }
  return Posted::kShuttingDown;
}

void Store::stop(absl::Duration patience) {
  if (!thread_.joinable()) return;
  patience_ns_ = absl::ToInt64Nanoseconds(patience);
  inbox_->close();
  thread_.join();
}

void Store::run() {
  pthread_setname_np(pthread_self(), "store");
  while (!inbox_->closed()) {
    std::vector<Inbox::Task> tasks = due_ ? inbox_->take_later(*due_) : inbox_->take();
    const size_t came = tasks.size();
    run_tasks(std::move(tasks));
    commit_in_time(came);
  }
  using Clock = std::chrono::steady_clock;
  Clock::time_point deadline = Clock::now() + std::chrono::nanoseconds(patience_ns_.load());
  run_tasks(inbox_->take_until(Clock::now()));
  commit();
  while (writer_.has_pending() && Clock::now() < deadline) {
    run_tasks(inbox_->take_until(deadline));
    commit();
  }
  writer_.give_up();
}

// Where a worker waits for this processor, it goes first. A thread that weighs little is owed up to 4 ms for having
// waited (the kernel's tick), and would take them in one go.
void Store::run_tasks(std::vector<Inbox::Task> tasks) {
  for (Inbox::Task& task : tasks) {
    if (&task != &tasks.front()) std::this_thread::yield();
    task();
    if (writer_.is_batch_full()) commit();
  }
}

void Store::commit_in_time(size_t came) {
  const GroupPace::Clock::time_point now = GroupPace::Clock::now();
  if (due_ && came > 0) due_ = pace_.go_on(now);
  if (!due_ && writer_.has_changes()) due_ = pace_.begin(now);
  if (due_ && writer_.takes_somebody_out()) due_ = pace_.overtake(*due_);
  if (!due_ || now >= *due_ || came >= Inbox::kMany) return commit();
  writer_.release_pending();
}

void Store::commit() {
  if (due_) pace_.committed(GroupPace::Clock::now(), writer_.is_pipelined());
  due_.reset();
  writer_.commit();
  version_.store(writer_.reader().version(), std::memory_order_release);
}

void Store::note(ProcessStep step) {
  inbox_->post_fact([this, step = std::move(step)]() mutable { writer_.note(std::move(step)); });
}

void Store::hand_over_journal(std::function<void(absl::Status)> done) {
  inbox_->post_fact([this, done = std::move(done)] {
    commit();
    done(writer_.durability().hand_over());
  });
}

void Store::take_back_journal(bool changes_count, std::function<void(absl::Status)> done) {
  inbox_->post_fact([this, changes_count, done = std::move(done)] { done(writer_.take_back_journal(changes_count)); });
}

}  // namespace fairlead::store
