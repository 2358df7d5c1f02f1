// Who waits for a place on a server of one backend, over all workers: by class (0 first), and in each by order of
// coming. Some want a place on a certain server, and have a row of their own for each; the others take any.
//
// Only the first one of a row tries to get a place, on its own worker and by the snapshot that this worker has; the
// others need not look. It tries when there is reason to: a server has let go of one, or anything may have become free
// (a server was added, a limit raised). A place that is let go is offered to whoever is before, of those who want that
// server and those who take any, and where that one cannot use it to the other. While somebody waits, whoever comes
// goes behind, so a place that is let go is found by the first. It is called through its worker's seat, and whoever
// leaves the front calls the next while there is reason left.
//
// That nobody waits costs whoever lets go of a place one load. Nobody misses a call: who lets go does so first and then
// looks whether anybody waits, and who comes to the front first says that it waits and then looks for a place itself.
//
// Where anything may have become free, workers learn of it one after the other, each with its snapshot, and the first
// of each row looks as its worker comes to it: places that a raised limit brings go by age in each row, not across
// rows. Any thread; nobody is resumed under the lock.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/inlined_vector.h"
#include "base/intrusive_list.h"
#include "config/model.h"
#include "config/queue_policy.h"
#include "runtime/loop.h"

namespace fairlead::upstream {

class Line;

// How a worker is told that one of its own is at the front and has reason to try.
class QueueSeat : public std::enable_shared_from_this<QueueSeat> {
 public:
  QueueSeat(runtime::Loop& loop, Line& line) : loop_(loop), line_(&line) {}

  // From any thread; `is_own`: this is the worker's. The loops of all workers are there as long as any of these runs.
  void call(bool is_own);
  // On the worker's thread: nobody is there any more.
  void close() { line_ = nullptr; }

 private:
  runtime::Loop& loop_;
  Line* line_;  // of the worker's thread
  std::atomic<bool> called_ = false;
};

// One that waits. Its seat's thread owns it; all in it is guarded by the queue's lock while it is in the queue.
class QueueEntry : public base::ListNode<QueueEntry> {
 public:
  QueueEntry(std::shared_ptr<QueueSeat> seat, uint8_t priority) : seat_(std::move(seat)), priority_(priority) {}

  // Whose place it wants; 0: any.
  config::Uid wanted() const { return wanted_; }

 private:
  friend class SharedQueue;
  const std::shared_ptr<QueueSeat> seat_;
  const uint8_t priority_;
  config::Uid wanted_ = 0;
  // By order of coming.
  uint64_t number_ = 0;
  // It was told to try, and has not asked for its turn yet.
  bool is_called_ = false;
};

class SharedQueue {
 public:
  struct Limits {
    uint32_t all = 0;
    uint32_t for_server = 0;
  };
  // A server whose place is let go, or wanted.
  struct Target {
    config::Slot slot = 0;
    config::Uid server = 0;
  };
  // What the first one of a row may try: this server, or anything that it wants.
  struct Turn {
    enum class Look : uint8_t { kNothing, kServer, kAll } look = Look::kNothing;
    Target target{};
  };

  SharedQueue() = default;
  SharedQueue(const SharedQueue&) = delete;
  SharedQueue& operator=(const SharedQueue&) = delete;
  ~SharedQueue() { FAIRLEAD_CHECK(waiting() == 0); }

  uint32_t waiting() const { return waiting_.load(std::memory_order_seq_cst); }
  // Of these, those that take any server.
  uint32_t waiting_for_any() const { return waiting_for_any_.load(std::memory_order_seq_cst); }

  // False where too many wait already. Then next_turn() says whether it may try at once. `wanted`: server 0 for any;
  // where too many want that one, it takes any.
  bool enter(QueueEntry& entry, const Limits& limits, Target wanted);
  // It takes any from now on, behind those of them that came before it.
  void want_any(QueueEntry& entry);
  // What `entry` is to try; to be asked again after it found nothing, until that is kNothing.
  Turn next_turn(QueueEntry& entry);
  // It has a place, or does not want one any more. `more`: there may be another where it found its.
  void leave(QueueEntry& entry, bool more);
  // Those that were called and are of this seat. They stay while this thread does nothing.
  using Entries = absl::InlinedVector<QueueEntry*, 4>;
  Entries called(const QueueSeat& seat);

  // After a place has been let go, where somebody waits. `own`: this worker's seat, where it has one.
  void note_free(Target target, const QueueSeat* own);
  // Anything may have become free.
  void note_change(const QueueSeat* own);

 private:
  // More are not told apart.
  static constexpr size_t kFreeMax = 64;
  using Seats = absl::InlinedVector<std::shared_ptr<QueueSeat>, 2>;

  struct Row {
    QueueEntry* first() const;
    std::array<base::List<QueueEntry, QueueEntry>, config::kPriorities> classes;
  };
  struct ServerRow : Row {
    config::Slot slot = 0;
    uint32_t waiting = 0;
    // Why its first one is to look.
    Turn::Look reason = Turn::Look::kNothing;
  };

  // These under the lock. Whom to call goes into `seats`.
  static bool is_before(const QueueEntry& one, const QueueEntry& other);
  ServerRow* row_of(config::Uid server);
  void offer(Target target, Seats& seats);
  void offer_to_row(config::Uid server, Turn::Look reason, Seats& seats);
  void call_first_of_any(Seats& seats);
  void call_first_of(const ServerRow& row, Seats& seats);
  void call(QueueEntry* entry, Seats& seats);
  void forget_call(QueueEntry& entry);
  void put_among_any(QueueEntry& entry, Seats& seats);
  void take_out_of_row(QueueEntry& entry, bool more, Seats& seats);
  void take_out_of_any(QueueEntry& entry, bool more, Seats& seats);
  void step(std::atomic<uint32_t>& count, uint32_t by) {
    count.store(count.load(std::memory_order_relaxed) + by, std::memory_order_seq_cst);
  }
  // Not under it.
  static void call_all(const Seats& seats, const QueueSeat* own);

  alignas(64) std::atomic<uint32_t> waiting_ = 0;
  std::atomic<uint32_t> waiting_for_any_ = 0;
  alignas(64) std::mutex mutex_;
  // All guarded by mutex_:
  Row any_;
  absl::flat_hash_map<config::Uid, std::unique_ptr<ServerRow>> rows_;  // none is empty
  uint64_t last_number_ = 0;
  std::vector<QueueEntry*> called_;
  // Places that were let go and that nobody of any_ has tried to get yet,
  std::vector<Target> free_;
  // the one that its first one tries now,
  Target tried_;
  // and whether there may be others.
  bool anything_ = false;
};

}  // namespace fairlead::upstream
