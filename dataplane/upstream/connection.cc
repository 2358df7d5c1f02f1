#include "upstream/connection.h"

#include "upstream/server.h"

namespace fairlead::upstream {

void Connection::IdleWatch::on_wake(Waiter& waiter, runtime::Wake) {
  Connection& connection = static_cast<IdleWatch&>(waiter).connection;
  connection.server_.drop_idle(connection);
}

void Connection::begin_idle(runtime::TimePoint until) {
  reused_ = true;
  idle_until_ = until;
  stream_.channel().wait_readable(idle_watch_, runtime::kNever);
}

bool Connection::end_idle() {
  runtime::Channel& channel = stream_.channel();
  channel.stop_waiting(idle_watch_);
  return !channel.is_readable() && !channel.is_cancelled();
}

}  // namespace fairlead::upstream
