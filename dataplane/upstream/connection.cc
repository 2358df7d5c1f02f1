#include "upstream/connection.h"

#include <cerrno>

#include "upstream/backend.h"
#include "upstream/server.h"

namespace fairlead::upstream {

Connection::~Connection() {
  if (counted_) [[unlikely]]
    server_.backend().end_connection();
}

void Connection::IdleWatch::on_wake(Waiter& waiter, runtime::Wake wake) {
  Connection& connection = static_cast<IdleWatch&>(waiter).connection;
  if (wake == runtime::Wake::kReady && connection.is_quiet()) {
    connection.stream_.channel().wait_readable(waiter, runtime::kNever);
    return;
  }
  connection.server_.drop_idle(connection);
}

bool Connection::is_quiet() {
  runtime::Channel& channel = stream_.channel();
  if (channel.is_cancelled()) return false;
  if (!channel.is_readable()) return true;
  char byte;
  return channel.try_read({&byte, 1}) == -EAGAIN;
}

runtime::Task<runtime::IoResult<void>> Connection::connected(runtime::TimePoint deadline) {
  auto writable = co_await stream_.writable(deadline);
  if (!writable) co_return std::unexpected(writable.error());
  runtime::Channel& channel = stream_.channel();
  if (int result = channel.loop().driver().connect_result(channel.fd()); result != 0) {
    co_return std::unexpected(runtime::io_error_of(-result));
  }
  co_return runtime::IoResult<void>{};
}

runtime::Task<runtime::IoResult<void>> Connection::secured(tls::Worker& worker, tls::ClientSide side,
                                                           runtime::TimePoint deadline) {
  tls_ = side.context.get();
  runtime::IoResult<void> begun = co_await tls::connect(stream_, worker, std::move(side), deadline);
  co_return begun;
}

void Connection::count_exchange() {
  ++carried_;
  if (further_ != std::numeric_limits<uint32_t>::max()) --further_;
}

void Connection::begin_idle(runtime::TimePoint until) {
  has_been_idle_ = true;
  idle_until_ = until;
  stream_.channel().wait_readable(idle_watch_, runtime::kNever);
}

bool Connection::end_idle() {
  stream_.channel().stop_waiting(idle_watch_);
  return is_quiet();
}

}  // namespace fairlead::upstream
