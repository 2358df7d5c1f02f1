#include "test_support/sim_network.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "test_support/sim_driver.h"

namespace fairlead::test_support {

using runtime::Duration;
using runtime::TimePoint;

bool SimNetwork::step(TimePoint limit) {
  active_ = false;
  run_due_events();
  std::vector<SimDriver*> order = drivers_;
  for (size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random_.below(i)]);
  for (SimDriver* driver : order) driver->turn();
  if (active_) return true;
  TimePoint next = next_moment();
  if (next == runtime::kNever || next > limit) return false;
  now_ = std::max(now_, next);
  return true;
}

bool SimNetwork::run_until(const std::function<bool()>& condition, Duration limit) {
  TimePoint end = now_ + limit;
  while (!condition()) {
    if (!step(end)) return condition();
  }
  return true;
}

void SimNetwork::run_for(Duration length) {
  TimePoint end = now_ + length;
  while (step(end)) {
  }
  now_ = end;
}

TimePoint SimNetwork::next_moment() const {
  TimePoint next = events_.empty() ? runtime::kNever : events_.top().at;
  for (const SimDriver* driver : drivers_) next = std::min(next, driver->waits_until());
  return next;
}

std::vector<std::string> SimNetwork::open_sockets() const {
  std::vector<std::string> open;
  for (const SimDriver* driver : drivers_) driver->list_open(open);
  return open;
}

void SimNetwork::add(SimDriver& driver) { drivers_.push_back(&driver); }
void SimNetwork::remove(SimDriver& driver) { std::erase(drivers_, &driver); }

void SimNetwork::add_listener(std::shared_ptr<SimListener> listener) {
  config::Endpoint address = listener->address;
  listeners_.emplace(std::move(address), std::move(listener));
}

void SimNetwork::remove_listener(SimListener& listener) {
  for (const SimEnd& waiting : listener.queue) reset(*waiting.connection);
  listener.queue.clear();
  std::erase_if(listeners_, [&](const auto& entry) { return entry.second.get() == &listener; });
}

bool SimNetwork::is_listening(const config::Endpoint& address) const { return listeners_.contains(address); }

void SimNetwork::schedule(TimePoint at, What what, const SimEnd& end) { events_.push(Event{at, ++order_, what, end}); }

void SimNetwork::run_due_events() {
  while (!events_.empty() && events_.top().at <= now_) {
    Event event = events_.top();
    events_.pop();
    active_ = true;
    switch (event.what) {
      case What::kConnect:
        finish_connect(event.end);
        break;
      case What::kArrival:
        arrive(event.end);
        break;
      case What::kUnblock:
        signal_if_room(event.end);
        break;
    }
  }
}

void SimNetwork::connect(const SimEnd& client) {
  for (SimSide& side : client.connection->sides) {
    side.capacity = random_.between(faults_.capacity_min, std::max(faults_.capacity_min, faults_.capacity_max));
    side.slow = random_.chance(faults_.slow);
  }
  client.own().connecting = true;
  schedule(now_ + random_.between(faults_.latency_min, faults_.latency_max), What::kConnect, client);
}

std::shared_ptr<SimListener> SimNetwork::pick_listener(const config::Endpoint& address) {
  auto [first, last] = listeners_.equal_range(address);
  auto count = static_cast<size_t>(std::distance(first, last));
  if (count == 0) return nullptr;
  return std::next(first, static_cast<ptrdiff_t>(random_.below(count)))->second;
}

void SimNetwork::finish_connect(const SimEnd& client) {
  SimSide& own = client.own();
  if (own.closed) return;
  if (random_.chance(faults_.black_hole_connect)) return;
  own.connecting = false;
  std::shared_ptr<SimListener> listener = pick_listener(client.peer().address);
  if (!listener || random_.chance(faults_.refuse_connect)) {
    own.broken = true;
    own.error = ECONNREFUSED;
    return signal(client);
  }
  listener->queue.push_back(client.other());
  listener->driver->signal(listener->fd);
  signal(client);
}

void SimNetwork::send(const SimEnd& to, SimPiece piece) {
  SimSide& side = to.own();
  Duration latency = random_.between(faults_.latency_min, faults_.latency_max);
  if (side.slow) latency *= 100;
  side.last_arrival = std::max(side.last_arrival, now_ + latency);
  side.coming_bytes += piece.bytes.size();
  side.coming.push_back(std::move(piece));
  schedule(side.last_arrival, What::kArrival, to);
}

ssize_t SimNetwork::write(const SimEnd& from, std::string_view bytes) {
  active_ = true;
  SimSide& own = from.own();
  if (own.error != 0) return -std::exchange(own.error, 0);
  if (own.broken || own.sent_end) return -EPIPE;
  size_t room = own.connecting || own.blocked_until > now_ ? 0 : from.peer().room();
  size_t count = std::min(room, bytes.size());
  if (count > 1 && random_.chance(faults_.partial_write)) {
    count = random_.between(1, count - 1);
    own.blocked_until = now_ + random_.between(faults_.latency_min, faults_.latency_max);
    schedule(own.blocked_until, What::kUnblock, from);
  }
  if (count < bytes.size()) own.wants_room = true;
  if (count == 0) return bytes.empty() ? 0 : -EAGAIN;
  for (size_t sent = 0; sent < count;) {
    size_t size = random_.chance(faults_.split) ? random_.between(1, count - sent) : count - sent;
    send(from.other(), SimPiece{.bytes = std::string(bytes.substr(sent, size))});
    sent += size;
  }
  return static_cast<ssize_t>(count);
}

ssize_t SimNetwork::read(const SimEnd& at, std::span<char> into) {
  active_ = true;
  SimSide& own = at.own();
  size_t count = std::min(into.size(), own.unread_size());
  if (count > 0) {
    std::memcpy(into.data(), own.unread.data() + own.unread_start, count);
    own.unread_start += count;
    if (own.unread_start == own.unread.size()) {
      own.unread.clear();
      own.unread_start = 0;
    }
    signal_if_room(at.other());
    return static_cast<ssize_t>(count);
  }
  if (own.error != 0) return -std::exchange(own.error, 0);
  if (own.got_end || own.broken || into.empty()) return 0;
  return -EAGAIN;
}

ssize_t SimNetwork::peek(const SimEnd& at, std::span<char> into) {
  SimSide& own = at.own();
  size_t count = std::min(into.size(), own.unread_size());
  if (count == 0) return read(at, into);
  active_ = true;
  std::memcpy(into.data(), own.unread.data() + own.unread_start, count);
  return static_cast<ssize_t>(count);
}

void SimNetwork::arrive(const SimEnd& at) {
  SimSide& side = at.own();
  if (side.coming.empty()) return;  // lost in a reset
  SimPiece piece = std::move(side.coming.front());
  side.coming.pop_front();
  side.coming_bytes -= piece.bytes.size();
  if (side.broken) return;
  if (piece.kind != SimPiece::Kind::kReset && random_.chance(faults_.reset)) return reset(*at.connection);
  switch (piece.kind) {
    case SimPiece::Kind::kBytes:
      if (side.closed) return send(at.other(), SimPiece{.kind = SimPiece::Kind::kReset, .bytes = {}});
      side.unread += piece.bytes;
      break;
    case SimPiece::Kind::kEnd:
      side.got_end = true;
      break;
    case SimPiece::Kind::kReset:
      side.broken = true;
      side.error = ECONNRESET;
      break;
  }
  signal(at);
}

void SimNetwork::signal(const SimEnd& end) {
  if (end.own().driver) end.own().driver->signal(end.own().fd);
}

// As the kernel does it: only who was refused is told, and only when there is room worth a call.
void SimNetwork::signal_if_room(const SimEnd& writer) {
  SimSide& own = writer.own();
  if (!own.wants_room || own.blocked_until > now_) return;
  if (writer.peer().room() * 3 < writer.peer().capacity) return;
  own.wants_room = false;
  signal(writer);
}

void SimNetwork::shutdown_write(const SimEnd& from) {
  active_ = true;
  SimSide& own = from.own();
  if (std::exchange(own.sent_end, true) || own.broken) return;
  send(from.other(), SimPiece{.kind = SimPiece::Kind::kEnd, .bytes = {}});
  signal(from);
}

void SimNetwork::close(const SimEnd& from) {
  active_ = true;
  SimSide& own = from.own();
  own.closed = true;
  own.driver = nullptr;
  if (own.broken || own.connecting) return;
  if (own.unread_size() > 0 || own.reset_on_close) {
    own.broken = true;
    send(from.other(), SimPiece{.kind = SimPiece::Kind::kReset, .bytes = {}});
  } else if (!std::exchange(own.sent_end, true)) {
    send(from.other(), SimPiece{.kind = SimPiece::Kind::kEnd, .bytes = {}});
  }
}

void SimNetwork::reset(SimConnection& connection) {
  for (SimSide& side : connection.sides) {
    if (side.broken || side.closed) continue;
    side.broken = true;
    side.error = ECONNRESET;
    side.coming.clear();
    side.coming_bytes = 0;
    if (side.driver) side.driver->signal(side.fd);
  }
}

}  // namespace fairlead::test_support
