// One non-blocking socket on a loop, and who waits for it: at most one reader and one writer.
//
// Owns the socket. Readiness is remembered, so an operation is tried only when it can succeed: no call that is bound to
// return EAGAIN. A wait has a deadline, which costs no system call and in steady state no work: the channel's one timer
// is moved only when it fires (see arm()). Lives and dies on the loop's thread; nobody may be waiting when it dies.
#pragma once

#include <expected>
#include <memory>
#include <span>

#include "runtime/loop.h"
#include "runtime/transport.h"

namespace fairlead::runtime {

// Why an operation on a socket did not succeed.
enum class IoError : unsigned char {
  kTimedOut,
  // By cancel(): this side gave up.
  kCancelled,
  // The peer broke the connection.
  kReset,
  kRefused,
  // The two sides of a transport (TLS) did not agree, or the other is not to be believed.
  kHandshake,
  kUnreachable,
  // Out of descriptors, memory, ports.
  kExhausted,
  // There may be no more of them, by a limit of ours.
  kOverLimit,
};

IoError io_error_of(int errno_value);

template <typename T>
using IoResult = std::expected<T, IoError>;

class Channel {
 public:
  // Whose events of a turn are delivered first: those of connections to servers. So a turn finishes what it can before
  // it takes on more, connections are back in their pools when the next requests want them, and what is sent to one
  // peer goes out in a row, which saves that peer, and the sender, wake-ups.
  enum class Order : bool { kUsual, kFirst };

  // Takes over the socket. Where it cannot be watched (out of memory) every operation fails with kExhausted.
  Channel(Loop& loop, int fd, Order order = Order::kUsual);
  ~Channel() { close(); }
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  Loop& loop() const { return loop_; }
  int fd() const { return fd_; }
  Order order() const { return order_; }
  bool is_open() const { return fd_ >= 0; }
  // Idempotent. Nobody may be waiting.
  void close();

  // Whoever waits is woken with kCancelled, later in this turn, and every later wait fails at once.
  void cancel();
  bool is_cancelled() const { return cancelled_; }
  // Whoever waits to read (to write) is woken with kCancelled; the channel goes on.
  void interrupt_reader();
  void interrupt_writer();
  // Whoever waits to read, or else the next who would, is woken with kCancelled; until forget_interrupt().
  void interrupt_next_wait();
  void forget_interrupt() { interrupt_next_wait_ = false; }

  // When this channel hangs up or is cancelled (or has been), `victim` is cancelled. One victim at a time; null ends
  // it.
  void on_hang_up_cancel(Channel* victim);
  // When this channel hangs up or is cancelled (or has been), `watcher` is woken with kCancelled; with
  // `at_end_of_input`, also where the peer ends its direction alone. Once, and one watcher at a time; null ends it.
  void on_leave_wake(Waiter* watcher, bool at_end_of_input = false);
  // The peer has ended both directions, or the connection broke.
  bool is_hung_up() const { return hung_up_; }
  // It broke: an end of the stream that is read now may not be the peer's.
  bool is_broken() const { return broken_; }

  // The operations, without waiting. Zero bytes read is the end of the stream; no value means: not now, wait.
  // (Returned as raw counts, negative errno as the driver gives them: -EAGAIN is "not now".)
  ssize_t try_read(std::span<char> into);
  // What try_read() would give: it stays where it is. Once all that there was has been seen so, the next arrival is an
  // event; who then reads some of it and leaves the rest says assume_readable().
  ssize_t try_peek(std::span<char> into);
  ssize_t try_write(std::span<const char> data);
  ssize_t try_write(std::span<const iovec> data);
  // From here on the operations go through it.
  void set_transport(std::unique_ptr<Transport> transport) { transport_ = std::move(transport); }
  // Null: the socket's bytes are what is read and written.
  Transport* transport() const { return transport_.get(); }
  // What is written from here on is the last: shutdown_write() or close() follows it at once, and goes out with it.
  void expect_end() { expects_end_ = true; }
  // The peer reads the end of the stream; reading goes on.
  void shutdown_write();
  // When this channel is closed, the peer sees an error instead of an end.
  void reset_on_close();

  // For a transport: the operations on the socket itself.
  ssize_t read_socket(std::span<char> into);
  ssize_t write_socket(std::span<const char> data);
  bool is_socket_readable() const { return socket_readable_; }
  // What was read last shows that there is more, or that there is not, before the socket has to be asked.
  void note_unread(bool has_unread) { readable_ = socket_readable_ || has_unread; }
  // An end that was read is not the peer's.
  void note_broken() { broken_ = true; }
  // For a listening socket: the new socket or a negative errno.
  int try_accept(sockaddr_storage& from, socklen_t& size);

  // Readable as far as is known; so is a stream that ended.
  bool is_readable() const { return readable_; }
  bool is_writable() const { return writable_; }
  bool end_of_input() const { return end_of_input_; }
  // A socket whose readiness is already known otherwise: one that was just accepted may have data.
  void assume_readable() { readable_ = socket_readable_ = true; }

  // Registers who is to be woken when the socket becomes readable (writable), at the deadline, or by cancel().
  void wait_readable(Waiter& waiter, TimePoint deadline);
  void wait_writable(Waiter& waiter, TimePoint deadline);
  // Takes a waiter back that was not woken.
  void stop_waiting(Waiter& waiter);

  // From the driver.
  void on_ready(Readiness readiness);

  // One that never suspends would keep its worker: after this many operations in a row it has to wait its turn.
  bool burst_is_over() { return ++burst_ > kBurstLimit; }
  void begin_burst() { burst_ = 0; }

 private:
  static constexpr int kBurstLimit = 32;

  struct DeadlineTimer : Timer {
    explicit DeadlineTimer(Channel& owner) : Timer(&Channel::on_timer), channel(owner) {}
    Channel& channel;
  };
  static void on_timer(Timer& timer);
  void arm(TimePoint deadline);
  void note_error(ssize_t count);
  ssize_t read_through(std::span<char> into);
  bool has_left() const { return hung_up_ || cancelled_ || (watches_end_of_input_ && end_of_input_); }
  void wake_watcher();

  Loop& loop_;
  int fd_;
  const Order order_;
  bool readable_ = false;
  // As `readable_`, but for what a transport holds.
  bool socket_readable_ = false;
  bool writable_ = false;
  bool end_of_input_ = false;
  bool hung_up_ = false;
  bool broken_ = false;
  bool interrupt_next_wait_ = false;
  bool cancelled_ = false;
  bool watches_end_of_input_ = false;
  bool expects_end_ = false;
  int burst_ = 0;
  Waiter* reader_ = nullptr;
  Waiter* writer_ = nullptr;
  TimePoint reader_deadline_ = kNever;
  TimePoint writer_deadline_ = kNever;
  Channel* victim_ = nullptr;
  Waiter* watcher_ = nullptr;
  std::unique_ptr<Transport> transport_;
  DeadlineTimer timer_{*this};
};

}  // namespace fairlead::runtime
