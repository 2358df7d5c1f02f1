#include "runtime/channel.h"

#include <algorithm>
#include <cerrno>
#include <utility>

namespace fairlead::runtime {

IoError io_error_of(int errno_value) {
  switch (errno_value) {
    case ECONNREFUSED:
    case ENOENT:  // of a Unix socket
      return IoError::kRefused;
    case ENETUNREACH:
    case EHOSTUNREACH:
    case ENETDOWN:
    case EADDRNOTAVAIL:
    case EACCES:
    case EPERM:
      return IoError::kUnreachable;
    case ETIMEDOUT:
      return IoError::kTimedOut;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ENOBUFS:
    case EAGAIN:
      return IoError::kExhausted;
    default:
      return IoError::kReset;
  }
}

Channel::Channel(Loop& loop, int fd, Order order) : loop_(loop), fd_(fd), order_(order) {
  if (loop_.driver().watch(fd_, *this) != 0) cancelled_ = true;
}

void Channel::close() {
  if (!is_open()) return;
  FAIRLEAD_CHECK(!reader_ && !writer_);
  timer_.cancel();
  if (transport_) [[unlikely]]
    transport_->close();
  loop_.driver().close(std::exchange(fd_, -1));
}

void Channel::cancel() {
  if (std::exchange(cancelled_, true)) return;
  interrupt_reader();
  interrupt_writer();
  if (victim_) victim_->cancel();
  if (watcher_) wake_watcher();
}

void Channel::on_hang_up_cancel(Channel* victim) {
  victim_ = victim;
  if (victim && (hung_up_ || cancelled_)) victim->cancel();
}

void Channel::on_leave_wake(Waiter* watcher, bool at_end_of_input) {
  watcher_ = watcher;
  watches_end_of_input_ = at_end_of_input;
  if (watcher) wake_watcher();
}

void Channel::wake_watcher() {
  if (has_left()) loop_.make_ready(*std::exchange(watcher_, nullptr), Wake::kCancelled);
}

void Channel::interrupt_next_wait() {
  if (!reader_) interrupt_next_wait_ = true;
  interrupt_reader();
}

void Channel::interrupt_reader() {
  if (Waiter* waiter = std::exchange(reader_, nullptr)) loop_.make_ready(*waiter, Wake::kCancelled);
}

void Channel::interrupt_writer() {
  if (Waiter* waiter = std::exchange(writer_, nullptr)) loop_.make_ready(*waiter, Wake::kCancelled);
}

ssize_t Channel::try_read(std::span<char> into) {
  if (transport_) [[unlikely]]
    return read_through(into);
  return read_socket(into);
}

ssize_t Channel::read_through(std::span<char> into) {
  ssize_t count = transport_->read(into);
  note_unread(transport_->has_unread());
  note_error(count);
  return count;
}

ssize_t Channel::read_socket(std::span<char> into) {
  ssize_t count = loop_.driver().read(fd_, into);
  // Less than asked for: the socket is empty, and the next arrival is an event. Unless the end is already known to
  // stand behind it, of which no event would come.
  if (count < static_cast<ssize_t>(into.size()) && !end_of_input_) readable_ = socket_readable_ = false;
  note_error(count);
  return count;
}

ssize_t Channel::try_peek(std::span<char> into) {
  ssize_t count = loop_.driver().peek(fd_, into);
  if (count < static_cast<ssize_t>(into.size()) && !end_of_input_) readable_ = false;
  note_error(count);
  return count;
}

ssize_t Channel::try_write(std::span<const char> data) {
  if (transport_) [[unlikely]] {
    const iovec part{const_cast<char*>(data.data()), data.size()};
    return try_write(std::span(&part, 1));
  }
  return write_socket(data);
}

ssize_t Channel::write_socket(std::span<const char> data) {
  Driver& driver = loop_.driver();
  ssize_t count = expects_end_ ? driver.write_before_end(fd_, data) : driver.write(fd_, data);
  if (count == -EAGAIN || (count >= 0 && count < static_cast<ssize_t>(data.size()))) writable_ = false;
  note_error(count);
  return count;
}

ssize_t Channel::try_write(std::span<const iovec> data) {
  if (transport_) [[unlikely]] {
    ssize_t count = transport_->write(data);
    note_error(count);
    return count;
  }
  size_t size = 0;
  for (const iovec& part : data) size += part.iov_len;
  ssize_t count = loop_.driver().write(fd_, data);
  if (count == -EAGAIN || (count >= 0 && count < static_cast<ssize_t>(size))) writable_ = false;
  note_error(count);
  return count;
}

void Channel::shutdown_write() {
  if (transport_) return transport_->shutdown_write();
  loop_.driver().shutdown_write(fd_);
}

void Channel::reset_on_close() {
  if (transport_) transport_->abandon();
  loop_.driver().reset_on_close(fd_);
}

// The kernel tells of a reset once. Whoever asks next in the other direction is given a plain end of the stream.
void Channel::note_error(ssize_t count) {
  if (count < 0 && count != -EAGAIN) hung_up_ = broken_ = true;
}

int Channel::try_accept(sockaddr_storage& from, socklen_t& size) {
  int fd = loop_.driver().accept(fd_, from, size);
  if (fd == -EAGAIN) readable_ = false;
  return fd;
}

void Channel::wait_readable(Waiter& waiter, TimePoint deadline) {
  if (cancelled_ || interrupt_next_wait_) return loop_.make_ready(waiter, Wake::kCancelled);
  if (readable_) return loop_.make_ready(waiter, Wake::kReady);
  FAIRLEAD_CHECK(!reader_);
  reader_ = &waiter;
  reader_deadline_ = deadline;
  arm(deadline);
}

void Channel::wait_writable(Waiter& waiter, TimePoint deadline) {
  if (cancelled_) return loop_.make_ready(waiter, Wake::kCancelled);
  if (writable_) return loop_.make_ready(waiter, Wake::kReady);
  FAIRLEAD_CHECK(!writer_);
  writer_ = &waiter;
  writer_deadline_ = deadline;
  arm(deadline);
}

void Channel::stop_waiting(Waiter& waiter) {
  if (reader_ == &waiter) reader_ = nullptr;
  if (writer_ == &waiter) writer_ = nullptr;
  waiter.unlink();
}

void Channel::on_ready(Readiness readiness) {
  if (readiness.end_of_input) end_of_input_ = true;
  if (readiness.readable) readable_ = socket_readable_ = true;
  if (readiness.writable) writable_ = true;
  burst_ = 0;
  if (readiness.hung_up) hung_up_ = true;
  if (readiness.broken) broken_ = true;
  if (readiness.hung_up && victim_) victim_->cancel();
  if (watcher_) [[unlikely]]
    wake_watcher();
  // The first to wake may close the channel, with it this object: so the second goes through the ready queue.
  Waiter* reader = readiness.readable ? std::exchange(reader_, nullptr) : nullptr;
  Waiter* writer = readiness.writable ? std::exchange(writer_, nullptr) : nullptr;
  if (reader && writer) loop_.make_ready(*writer, Wake::kReady);
  if (reader) {
    reader->wake(Wake::kReady);
  } else if (writer) {
    writer->wake(Wake::kReady);
  }
}

// Deadlines of successive waits mostly move forward. So a timer that stands at an earlier time is left there, and looks
// when it fires whether anybody's deadline has come: one timer operation in a timeout's length, not one for each wait.
void Channel::arm(TimePoint deadline) {
  if (deadline == kNever) return;
  if (!timer_.is_scheduled() || deadline < timer_.when()) loop_.timers().schedule(timer_, deadline);
}

void Channel::on_timer(Timer& timer) {
  Channel& channel = static_cast<DeadlineTimer&>(timer).channel;
  TimePoint now = channel.loop_.now();
  if (channel.reader_ && channel.reader_deadline_ <= now) {
    channel.loop_.make_ready(*std::exchange(channel.reader_, nullptr), Wake::kTimedOut);
  }
  if (channel.writer_ && channel.writer_deadline_ <= now) {
    channel.loop_.make_ready(*std::exchange(channel.writer_, nullptr), Wake::kTimedOut);
  }
  TimePoint next = kNever;
  if (channel.reader_) next = channel.reader_deadline_;
  if (channel.writer_) next = std::min(next, channel.writer_deadline_);
  channel.arm(next);
}

}  // namespace fairlead::runtime
