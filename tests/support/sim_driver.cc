#include "test_support/sim_driver.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "runtime/channel.h"
#include "test_support/uncounted.h"

namespace fairlead::test_support {
namespace {

constexpr int kFirstDescriptor = 3;

void give_address(const config::Endpoint& endpoint, sockaddr_storage& address, socklen_t& size) {
  config::SocketAddress given = endpoint.to_socket_address();
  address = given.storage;
  size = given.size;
}

}  // namespace

SimDriver::SimDriver(SimNetwork& network, std::string name, std::string_view address)
    : network_(network),
      name_(std::move(name)),
      address_(config::Endpoint::parse(std::string(address).append(":0")).value()),
      sockets_(kFirstDescriptor) {
  network_.add(*this);
}

SimDriver::~SimDriver() {
  FAIRLEAD_CHECK(open_count() == 0);
  network_.remove(*this);
}

int SimDriver::take_descriptor() {
  if (open_count() >= network_.faults().descriptors_max) return -EMFILE;
  auto free = std::find_if(sockets_.begin() + kFirstDescriptor, sockets_.end(), [](auto& s) { return !s.open; });
  if (free == sockets_.end()) free = sockets_.insert(free, Socket{});
  free->open = true;
  return static_cast<int>(free - sockets_.begin());
}

SimDriver::Socket& SimDriver::socket(int fd) {
  FAIRLEAD_CHECK(fd >= kFirstDescriptor && static_cast<size_t>(fd) < sockets_.size() && sockets_[fd].open);
  return sockets_[fd];
}

size_t SimDriver::open_count() const {
  return std::ranges::count_if(sockets_, [](auto& s) { return s.open; });
}

std::vector<int> SimDriver::descriptors() const {
  std::vector<int> result;
  for (size_t fd = 0; fd < sockets_.size(); ++fd) {
    if (sockets_[fd].open && !sockets_[fd].listener) result.push_back(static_cast<int>(fd));
  }
  return result;
}

void SimDriver::list_open(std::vector<std::string>& into) const {
  for (size_t fd = 0; fd < sockets_.size(); ++fd) {
    const Socket& socket = sockets_[fd];
    if (!socket.open) continue;
    std::string ends = socket.listener ? absl::StrCat("listens at ", socket.listener->address.to_string())
                                       : absl::StrCat(socket.end.own().address.to_string(), " - ",
                                                      socket.end.peer().address.to_string());
    into.push_back(absl::StrCat(name_, " fd ", fd, ": ", ends));
  }
}

int SimDriver::listen(const config::Endpoint& address) {
  int fd = take_descriptor();
  if (fd < 0) return fd;
  config::Endpoint bound = address;
  if (!address.is_unix() && address.port() == 0) bound = address.with_port(network_.next_port());
  auto listener = std::make_shared<SimListener>(SimListener{.driver = this, .fd = fd, .address = bound, .queue = {}});
  socket(fd).listener = listener;
  network_.add_listener(std::move(listener));
  return fd;
}

config::Endpoint SimDriver::local_address(int fd) const {
  const Socket& socket = const_cast<SimDriver*>(this)->socket(fd);
  return socket.listener ? socket.listener->address : socket.end.own().address;
}

void SimDriver::reset(int fd) { network_.reset(*socket(fd).end.connection); }

void SimDriver::turn() {
  if (!loop_) return;
  if (turn_observer_) turn_observer_(true);
  loop_->turn();
  if (turn_observer_) turn_observer_(false);
}

void SimDriver::wake() {
  woken_ = true;
  network_.note_activity();
}

void SimDriver::signal(int fd) {
  Socket& socket = sockets_[fd];
  if (!socket.open || !socket.channel || std::exchange(socket.signalled, true)) return;
  signalled_.push_back(fd);
  network_.note_activity();
}

void SimDriver::wait(runtime::TimePoint deadline) {
  Uncounted uncounted;
  for (int fd : signalled_) {
    Socket& socket = sockets_[fd];
    if (!std::exchange(socket.signalled, false)) continue;  // closed meanwhile
    runtime::Readiness readiness = readiness_of(socket);
    if (readiness.readable || readiness.writable) pending_.push_back({fd, socket.generation, readiness});
  }
  signalled_.clear();
  if (std::exchange(woken_, false) || !pending_.empty() || deadline <= network_.now()) network_.note_activity();
  waits_until_ = deadline;
}

void SimDriver::deliver() {
  for (const Pending& event : pending_) {
    const Socket& socket = sockets_[event.fd];
    if (socket.channel && socket.generation == event.generation) socket.channel->on_ready(event.readiness);
  }
  pending_.clear();
}

runtime::Readiness SimDriver::readiness_of(const Socket& socket) const {
  if (socket.listener) return {.readable = !socket.listener->queue.empty()};
  const SimSide& own = socket.end.own();
  if (own.connecting) return {};
  bool gone = own.broken || own.error != 0 || (own.sent_end && own.got_end);
  const SimSide& peer = socket.end.peer();
  bool room = own.blocked_until <= network_.now() && peer.room() * 3 >= peer.capacity;
  return {.readable = gone || own.got_end || own.unread_size() > 0,
          .writable = gone || own.sent_end || room,
          .end_of_input = gone || own.got_end,
          .hung_up = gone,
          .broken = own.broken || own.error != 0};
}

int SimDriver::watch(int fd, runtime::Channel& channel) {
  Socket& watched = socket(fd);
  watched.channel = &channel;
  ++watched.generation;
  signal(fd);
  return 0;
}

void SimDriver::reset_on_close(int fd) { socket(fd).end.own().reset_on_close = true; }

void SimDriver::close(int fd) {
  Socket& closing = socket(fd);
  if (closing.listener) {
    network_.remove_listener(*closing.listener);
  } else {
    network_.close(closing.end);
  }
  uint32_t generation = closing.generation;
  closing = Socket{};
  closing.generation = generation + 1;
}

ssize_t SimDriver::read(int fd, std::span<char> into) {
  Uncounted uncounted;
  return network_.read(socket(fd).end, into);
}

ssize_t SimDriver::peek(int fd, std::span<char> into) {
  Uncounted uncounted;
  return network_.peek(socket(fd).end, into);
}

ssize_t SimDriver::write(int fd, std::span<const char> data) {
  Uncounted uncounted;
  return network_.write(socket(fd).end, std::string_view(data.data(), data.size()));
}

ssize_t SimDriver::write(int fd, std::span<const iovec> data) {
  Uncounted uncounted;
  std::string joined;
  for (const iovec& part : data) joined.append(static_cast<const char*>(part.iov_base), part.iov_len);
  return network_.write(socket(fd).end, joined);
}

int SimDriver::shutdown_write(int fd) {
  network_.shutdown_write(socket(fd).end);
  return 0;
}

int SimDriver::connect(const sockaddr* address, socklen_t size) {
  Uncounted uncounted;
  if (network_.random().chance(network_.faults().exhausted_connect)) return -EMFILE;
  int fd = take_descriptor();
  if (fd < 0) return fd;
  SimEnd client{std::make_shared<SimConnection>(), 0};
  client.own().driver = this;
  client.own().fd = fd;
  client.own().address = address_.with_port(network_.next_port());
  client.peer().address = config::Endpoint::from_socket_address(address, size);
  socket(fd).end = client;
  network_.connect(client);
  network_.note_activity();
  return fd;
}

int SimDriver::connect_from(const sockaddr* source, socklen_t source_size, runtime::Source, const sockaddr* address,
                            socklen_t size) {
  int fd = connect(address, size);
  if (fd < 0) return fd;
  auto& own = socket(fd).end.own();
  own.address = config::Endpoint::from_socket_address(source, source_size).with_port(own.address.port());
  return fd;
}

int SimDriver::connect_result(int fd) { return -std::exchange(socket(fd).end.own().error, 0); }

int SimDriver::accept(int fd, sockaddr_storage& from, socklen_t& size) {
  std::shared_ptr<SimListener> listener = socket(fd).listener;
  FAIRLEAD_CHECK(listener);
  network_.note_activity();
  if (listener->queue.empty()) return -EAGAIN;
  if (network_.random().chance(network_.faults().exhausted_accept)) return -EMFILE;
  int accepted = take_descriptor();
  if (accepted < 0) return accepted;
  SimEnd server = listener->queue.front();
  listener->queue.pop_front();
  server.own().driver = this;
  server.own().fd = accepted;
  socket(accepted).end = server;
  give_address(server.peer().address, from, size);
  return accepted;
}

int SimDriver::set_option(int fd, int level, int name, int value) {
  Uncounted uncounted;
  socket(fd).options[{level, name}] = value;
  return 0;
}

int SimDriver::set_backlog(int fd, int backlog) {
  socket(fd).backlog = backlog;
  return 0;
}

std::optional<int> SimDriver::option(int fd, int level, int name) const {
  const auto& options = sockets_[fd].options;
  auto found = options.find({level, name});
  return found == options.end() ? std::nullopt : std::optional(found->second);
}

int SimDriver::local_address(int fd, sockaddr_storage& address, socklen_t& size) {
  give_address(local_address(fd), address, size);
  return 0;
}

}  // namespace fairlead::test_support
