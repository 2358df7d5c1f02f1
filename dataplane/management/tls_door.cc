#include "management/tls_door.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <optional>
#include <utility>

#include "base/check.h"
#include "base/descriptor.h"
#include "config/text.h"
#include "config/validate.h"
#include "spdlog/spdlog.h"

namespace fairlead::management {
namespace {

// Passed on at a time, in memory that is held for as long as there is something.
constexpr size_t kPiece = 32 * 1024;
// A client that takes nothing for so long is cut off. gRPC minds sooner, where a call waits for it.
constexpr runtime::Duration kPatience = std::chrono::seconds(60);
// So long a client may take to close after we have said all: else its kernel might throw away what it has not read.
constexpr runtime::Duration kLinger = std::chrono::seconds(2);

enum class Ended : uint8_t { kSource, kSink };

runtime::Task<Ended> pass_on(net::Stream& from, net::Stream& to) {
  while (true) {
    auto ready = co_await from.readable(runtime::kNever);
    if (!ready) co_return Ended::kSource;
    auto memory = std::make_unique_for_overwrite<char[]>(kPiece);
    do {
      auto count = co_await from.read_some({memory.get(), kPiece}, runtime::kNever);
      if (!count || *count == 0) co_return Ended::kSource;
      auto written = co_await to.write_all({memory.get(), *count}, kPatience);
      if (!written) co_return Ended::kSink;
    } while (from.channel().is_readable());
  }
}

// A client that has ended is gone: HTTP/2 knows no half of a connection. `is_over`: gRPC has said all.
runtime::Task<void> pass_inwards(net::Stream& client, net::Stream& inner, const bool& is_over) {
  Ended ended = co_await pass_on(client, inner);
  if (is_over || ended == Ended::kSink) co_return;  // in the latter case gRPC's last words are still to be passed on
  inner.cancel();
  client.cancel();
}

runtime::Task<void> linger(net::Stream& client) {
  runtime::TimePoint until = client.loop().now() + kLinger;
  std::array<char, 1024> dropped;
  while (true) {
    auto count = co_await client.read_some(dropped, until);
    if (!count || *count == 0) co_return;
  }
}

runtime::Task<void> relay(net::Stream& client, net::Stream& inner) {
  bool is_over = false;
  runtime::Scope inwards(client.loop());
  inwards.spawn(pass_inwards(client, inner, is_over));
  co_await pass_on(inner, client);
  is_over = true;
  client.shutdown_write();
  inner.cancel();
  client.channel().interrupt_next_wait();
  co_await inwards.join();
  client.channel().forget_interrupt();
  co_await linger(client);
}

struct Pair {
  base::Descriptor ours;
  base::Descriptor theirs;
};

// None where the system has no more.
std::optional<Pair> make_pair(const std::string& name) {
  std::array<int, 2> ends;
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()) != 0) return std::nullopt;
  Pair pair{base::Descriptor(ends[0]), base::Descriptor(ends[1])};
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  FAIRLEAD_CHECK(name.size() + 1 < sizeof address.sun_path);
  std::memcpy(address.sun_path + 1, name.data(), name.size());
  auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  if (::bind(ends[0], reinterpret_cast<const sockaddr*>(&address), size) != 0) return std::nullopt;
  return pair;
}

void send_at_once(int fd) {
  int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

}  // namespace

TlsDoor::TlsDoor(runtime::Loop& loop, std::shared_ptr<Credentials> credentials, Peers& peers, Counts& counts,
                 std::function<void(int fd)> take)
    : loop_(loop),
      credentials_(std::move(credentials)),
      peers_(peers),
      counts_(counts),
      take_(std::move(take)),
      worker_(loop),
      connections_(loop) {}

void TlsDoor::come_in(int fd, std::string address) {
  base::Descriptor owned(fd);
  if (closed_) return;
  if (open_.size() >= kConnectionsMax) {
    return refuse(address, config::concat(kConnectionsMax, " with TLS are open, the most that there may be"));
  }
  send_at_once(fd);
  connections_.spawn(serve(owned.release(), std::move(address)));
}

void TlsDoor::refuse(const std::string& address, const std::string& reason) {
  ++counts_.tls_connections_refused;
  if (log_.take()) spdlog::warn("management: connection from {} closed: {}", address, reason);
}

runtime::Task<void> TlsDoor::serve(int fd, std::string address) {
  net::Stream client(loop_, fd);
  open_.insert(&client);
  ++counts_.tls_connections;
  shaking_.push_back(&client);
  if (shaking_.size() > kHandshakesMax) {
    shaking_.front()->cancel();
    shaking_.erase(shaking_.begin());
  }
  runtime::TimePoint deadline = loop_.now() + credentials_->settings().handshake_timeout;
  tls::Accepted accepted = co_await tls::accept(client, worker_, credentials_->current(), deadline);
  std::erase(shaking_, &client);
  if (accepted.outcome == tls::Outcome::kDone && !client.channel().is_cancelled()) {
    ++counts_.handshakes_done;
    RoleList::Found found = credentials_->settings().roles.find(accepted.transport->client_names());
    Peer peer{.name = found.name.empty() ? "a certificate without a name" : std::move(found.name),
              .role = found.role,
              .address = std::move(address)};
    co_await serve_inside(client, std::move(peer));
  } else {
    note_failed(client, accepted.outcome, address);
  }
  --counts_.tls_connections;
  open_.erase(&client);
}

runtime::Task<void> TlsDoor::serve_inside(net::Stream& client, Peer peer) {
  const std::string client_name = peer.name;
  if (of_one_[client_name] >= kConnectionsOfOneMax) {
    refuse(peer.address,
           config::concat(kConnectionsOfOneMax, " of ", peer.title(), " are open, the most that one client may have"));
    co_return;
  }
  ++of_one_[client_name];
  std::string name = peers_.add(std::make_shared<const Peer>(std::move(peer)));
  std::optional<Pair> pair = make_pair(name);
  if (pair) {
    net::Stream inner(loop_, pair->ours.release());
    take_(pair->theirs.release());
    co_await relay(client, inner);
  } else if (log_.take()) {
    spdlog::warn("management: a connection was closed: no socket for it: {}", strerror(errno));
  }
  peers_.remove(name);
  if (--of_one_[client_name] == 0) of_one_.erase(client_name);
}

void TlsDoor::note_failed(net::Stream& client, tls::Outcome outcome, const std::string& address) {
  if (closed_) return;
  ++counts_.handshakes_failed;
  std::string reason;
  switch (outcome) {
    case tls::Outcome::kRefused:
      reason = static_cast<const tls::Transport*>(client.channel().transport())->problem();
      break;
    case tls::Outcome::kTimedOut:
      reason = "not done within " + config::to_text(credentials_->settings().handshake_timeout);
      break;
    case tls::Outcome::kGone:
    case tls::Outcome::kDone:
      if (!client.channel().is_cancelled()) return;  // who only looks whether the port is open, for one
      reason = config::concat("broken off, the oldest of more than ", kHandshakesMax);
      break;
  }
  if (std::optional<uint64_t> left_out = log_.take()) {
    std::string more = *left_out == 0 ? "" : config::concat(" (and ", *left_out, " before it that were not logged)");
    spdlog::warn("management: TLS from {} failed: {}{}", address, reason, more);
  }
}

void TlsDoor::close() {
  closed_ = true;
  for (net::Stream* one : shaking_) one->cancel();
}

void TlsDoor::cut_off() {
  for (net::Stream* one : open_) one->cancel();
}

}  // namespace fairlead::management
