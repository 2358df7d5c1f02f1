#include "upstream/shared_queue.h"

#include <algorithm>
#include <utility>

#include "upstream/waiting.h"

namespace fairlead::upstream {

void QueueSeat::call(bool is_own) {
  if (is_own) {
    if (line_) line_->take_call();
    return;
  }
  if (called_.exchange(true, std::memory_order_acq_rel)) return;
  loop_.post_message([self = shared_from_this()] {
    self->called_.store(false, std::memory_order_release);
    if (self->line_) self->line_->take_call();
  });
}

QueueEntry* SharedQueue::Row::first() const {
  for (const auto& entries : classes) {
    if (QueueEntry* entry = entries.front()) return entry;
  }
  return nullptr;
}

bool SharedQueue::is_before(const QueueEntry& one, const QueueEntry& other) {
  return one.priority_ != other.priority_ ? one.priority_ < other.priority_ : one.number_ < other.number_;
}

SharedQueue::ServerRow* SharedQueue::row_of(config::Uid server) {
  auto at = rows_.find(server);
  return at == rows_.end() ? nullptr : at->second.get();
}

void SharedQueue::call(QueueEntry* entry, Seats& seats) {
  if (!entry || entry->is_called_) return;
  entry->is_called_ = true;
  called_.push_back(entry);
  seats.push_back(entry->seat_);
}

void SharedQueue::forget_call(QueueEntry& entry) {
  if (entry.is_called_) std::erase(called_, &entry);
  entry.is_called_ = false;
}

void SharedQueue::call_first_of_any(Seats& seats) {
  if (!free_.empty() || anything_) call(any_.first(), seats);
}

void SharedQueue::call_first_of(const ServerRow& row, Seats& seats) {
  if (row.reason != Turn::Look::kNothing) call(row.first(), seats);
}

void SharedQueue::call_all(const Seats& seats, const QueueSeat* own) {
  for (const auto& seat : seats) seat->call(seat.get() == own);
}

void SharedQueue::offer_to_row(config::Uid server, Turn::Look reason, Seats& seats) {
  ServerRow* row = row_of(server);
  if (!row) return;
  row->reason = std::max(row->reason, reason);
  call_first_of(*row, seats);
}

void SharedQueue::offer(Target target, Seats& seats) {
  const QueueEntry* any = any_.first();
  const ServerRow* row = row_of(target.server);
  if (row && (!any || is_before(*row->first(), *any))) return offer_to_row(target.server, Turn::Look::kServer, seats);
  if (!any) return;
  if (free_.size() < kFreeMax) {
    free_.push_back(target);
  } else {
    anything_ = true;
    offer_to_row(target.server, Turn::Look::kServer, seats);
  }
  call_first_of_any(seats);
}

bool SharedQueue::enter(QueueEntry& entry, const Limits& limits, Target wanted) {
  Seats seats;
  Seats own;
  {
    std::lock_guard lock(mutex_);
    if (waiting_.load(std::memory_order_relaxed) >= limits.all) return false;
    entry.number_ = ++last_number_;
    ServerRow* row = wanted.server == 0 ? nullptr : row_of(wanted.server);
    const bool has_room = wanted.server != 0 && (row ? row->waiting : 0) < limits.for_server;
    if (has_room) {
      if (!row) row = (rows_[wanted.server] = std::make_unique<ServerRow>()).get();
      row->slot = wanted.slot;
      ++row->waiting;
      entry.wanted_ = wanted.server;
      row->classes[entry.priority_].push_back(entry);
    } else {
      any_.classes[entry.priority_].push_back(entry);
      step(waiting_for_any_, 1);
    }
    step(waiting_, 1);
    // What was let go before this one waited was told to nobody. It looks by itself, behind whoever came before.
    const QueueEntry* any = any_.first();
    if (has_room && row->first() == &entry) {
      if (any && is_before(*any, entry)) {
        offer(wanted, seats);
      } else {
        row->reason = Turn::Look::kAll;
        call(&entry, own);
      }
    } else if (any == &entry) {
      anything_ = true;
      call(&entry, own);
    }
  }
  // Before it looks for a place.
  std::atomic_thread_fence(std::memory_order_seq_cst);
  call_all(seats, entry.seat_.get());
  return true;
}

SharedQueue::Turn SharedQueue::next_turn(QueueEntry& entry) {
  Seats seats;
  Turn turn;
  {
    std::lock_guard lock(mutex_);
    forget_call(entry);
    if (entry.wanted_ != 0) {
      ServerRow& row = *row_of(entry.wanted_);
      if (row.first() != &entry) return {};
      return {.look = std::exchange(row.reason, Turn::Look::kNothing), .target = {row.slot, entry.wanted_}};
    }
    if (any_.first() != &entry) return {};
    // It could not use that one; who waits for just that server may.
    if (tried_.server != 0) offer_to_row(std::exchange(tried_, {}).server, Turn::Look::kServer, seats);
    if (!free_.empty()) {
      tried_ = free_.back();
      free_.pop_back();
      turn = {.look = Turn::Look::kServer, .target = tried_};
    } else if (std::exchange(anything_, false)) {
      turn = {.look = Turn::Look::kAll};
    }
  }
  call_all(seats, entry.seat_.get());
  return turn;
}

void SharedQueue::take_out_of_row(QueueEntry& entry, bool more, Seats& seats) {
  const config::Uid server = std::exchange(entry.wanted_, 0);
  ServerRow& row = *row_of(server);
  entry.unlink();
  --row.waiting;
  if (more) row.reason = Turn::Look::kAll;
  if (row.first()) return call_first_of(row, seats);
  const Target target{row.slot, server};
  const bool has_reason = row.reason != Turn::Look::kNothing;
  rows_.erase(server);
  if (has_reason) offer(target, seats);
}

void SharedQueue::take_out_of_any(QueueEntry& entry, bool more, Seats& seats) {
  if (any_.first() == &entry) tried_ = {};
  entry.unlink();
  step(waiting_for_any_, ~uint32_t{0});
  anything_ |= more;
  if (any_.first()) return call_first_of_any(seats);
  anything_ = false;
  for (const Target& target : std::exchange(free_, {})) offer_to_row(target.server, Turn::Look::kServer, seats);
}

void SharedQueue::want_any(QueueEntry& entry) {
  Seats seats;
  {
    std::lock_guard lock(mutex_);
    forget_call(entry);
    // Those behind it cannot go there either, as far as it knows.
    take_out_of_row(entry, true, seats);
    any_.classes[entry.priority_].push_before(entry, [&](QueueEntry& other) { return entry.number_ < other.number_; });
    step(waiting_for_any_, 1);
    anything_ = true;
    call_first_of_any(seats);
  }
  call_all(seats, entry.seat_.get());
}

void SharedQueue::leave(QueueEntry& entry, bool more) {
  Seats seats;
  {
    std::lock_guard lock(mutex_);
    forget_call(entry);
    if (entry.wanted_ != 0) {
      take_out_of_row(entry, more, seats);
    } else {
      take_out_of_any(entry, more, seats);
    }
    step(waiting_, ~uint32_t{0});
  }
  call_all(seats, entry.seat_.get());
}

SharedQueue::Entries SharedQueue::called(const QueueSeat& seat) {
  std::lock_guard lock(mutex_);
  Entries entries;
  for (QueueEntry* entry : called_) {
    if (entry->seat_.get() == &seat) entries.push_back(entry);
  }
  return entries;
}

void SharedQueue::note_free(Target target, const QueueSeat* own) {
  Seats seats;
  {
    std::lock_guard lock(mutex_);
    offer(target, seats);
  }
  call_all(seats, own);
}

void SharedQueue::note_change(const QueueSeat* own) {
  Seats seats;
  {
    std::lock_guard lock(mutex_);
    if (any_.first()) anything_ = true;
    call_first_of_any(seats);
    for (auto& [server, row] : rows_) {
      row->reason = Turn::Look::kAll;
      call_first_of(*row, seats);
    }
  }
  call_all(seats, own);
}

}  // namespace fairlead::upstream
