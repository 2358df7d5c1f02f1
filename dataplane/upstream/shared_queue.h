// Who waits for a place on a server of one backend, over all workers: by class (0 first), and in each by order of
// coming.
//
// Only the first one tries to get a place, on its own worker and by the snapshot that this worker has; the others need
// not look. It tries when there is reason to: a server has let go of one, or anything may have become free (a server
// was added, a limit raised). While somebody waits, whoever comes goes behind, so a place that is let go is found by
// the first. It is called through its worker's seat, and whoever leaves the front calls the next while there is reason
// left.
//
// That nobody waits costs whoever lets go of a place one load. Nobody misses a call: who lets go does so first and then
// looks whether anybody waits, and who comes to the front first says that it waits and then looks for a place itself.
// Any thread; nobody is resumed under the lock.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

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

 private:
  friend class SharedQueue;
  const std::shared_ptr<QueueSeat> seat_;
  const uint8_t priority_;
};

class SharedQueue {
 public:
  // What the first one may try.
  struct Turn {
    enum class Look : uint8_t { kNothing, kServer, kAll } look = Look::kNothing;
    // For kServer: who has let go of a place.
    config::Slot slot = 0;
    config::Uid server = 0;
  };

  SharedQueue() = default;
  SharedQueue(const SharedQueue&) = delete;
  SharedQueue& operator=(const SharedQueue&) = delete;
  ~SharedQueue() { FAIRLEAD_CHECK(waiting() == 0); }

  uint32_t waiting() const { return waiting_.load(std::memory_order_seq_cst); }

  // False where `limit` wait already. Then next_turn() says whether it may try at once.
  bool enter(QueueEntry& entry, uint32_t limit);
  // What `entry` is to try; to be asked again after it found nothing, until that is kNothing.
  Turn next_turn(QueueEntry& entry);
  // It has a place, or does not want one any more. `more`: there may be another where it found its.
  void leave(QueueEntry& entry, bool more);
  // The one at the front where it was called and is of this seat; null else. It stays while this thread does nothing.
  QueueEntry* called(const QueueSeat& seat);

  // After a place has been let go, where somebody waits. `own`: this worker's seat, where it has one.
  void note_free(config::Slot slot, config::Uid server, const QueueSeat* own);
  // Anything may have become free.
  void note_change(const QueueSeat* own);

 private:
  struct Free {
    config::Slot slot;
    config::Uid server;
  };
  // More are not told apart.
  static constexpr size_t kFreeMax = 64;

  // These under the lock.
  QueueEntry* first() const;
  // Whom to call; null for nobody.
  std::shared_ptr<QueueSeat> call_first();

  alignas(64) std::atomic<uint32_t> waiting_ = 0;
  alignas(64) std::mutex mutex_;
  std::array<base::List<QueueEntry, QueueEntry>, config::kPriorities> classes_;  // guarded by mutex_
  // Has been called, and has not asked for its turn yet.
  QueueEntry* called_ = nullptr;  // guarded by mutex_
  // Places that were let go and that nobody has tried to get yet,
  std::vector<Free> free_;  // guarded by mutex_
  // and whether there may be others.
  bool anything_ = false;  // guarded by mutex_
};

}  // namespace fairlead::upstream
