#include "proxy/client.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>

namespace fairlead::proxy {
namespace {

constexpr runtime::Duration kLingerPatience = std::chrono::seconds(2);
constexpr size_t kLingerBytesMax = 1 << 20;

using AddressText = std::array<char, INET6_ADDRSTRLEN>;

std::string_view write_address(const net::Accepted& accepted, AddressText& text) {
  const void* ip = nullptr;
  if (accepted.from.ss_family == AF_INET) ip = &reinterpret_cast<const sockaddr_in&>(accepted.from).sin_addr;
  if (accepted.from.ss_family == AF_INET6) ip = &reinterpret_cast<const sockaddr_in6&>(accepted.from).sin6_addr;
  if (!ip || !inet_ntop(accepted.from.ss_family, ip, text.data(), text.size())) return "unix";
  return text.data();
}

uint16_t port_of(const net::Accepted& accepted) {
  if (accepted.from.ss_family == AF_INET) return ntohs(reinterpret_cast<const sockaddr_in&>(accepted.from).sin_port);
  if (accepted.from.ss_family == AF_INET6) return ntohs(reinterpret_cast<const sockaddr_in6&>(accepted.from).sin6_port);
  return 0;
}

uint64_t source_of(const net::Accepted& accepted) {
  if (accepted.from.ss_family == AF_INET) {
    return uint64_t{1} << 32 | ntohl(reinterpret_cast<const sockaddr_in&>(accepted.from).sin_addr.s_addr);
  }
  if (accepted.from.ss_family != AF_INET6) return 0;
  uint64_t half = 0;
  std::memcpy(&half, &reinterpret_cast<const sockaddr_in6&>(accepted.from).sin6_addr, sizeof half);
  return std::max<uint64_t>(half, 1);
}

}  // namespace

Client::Client(Context& context, ListenerContext& listener, const net::Accepted& accepted)
    : context_(context), listener_(listener), stream_(context.loop, accepted.fd), in_(context.buffers) {
  AddressText text;
  forwarded_ = codec::make_forwarded_lines(write_address(accepted, text), "http", forwarded_memory_);
  port_ = port_of(accepted);
  source_ = source_of(accepted);
  listener_.clients.push_back(*this);
  ++listener_.connections;
}

Client::~Client() {
  --listener_.connections;
  listener_.of_all_workers->open.fetch_sub(1, std::memory_order_relaxed);
  unlink();
}

std::string Client::address_and_port() const {
  std::string text(address());
  if (port_ == 0) return text;
  if (text.find(':') != std::string::npos) text = "[" + text + "]";
  return text + ":" + std::to_string(port_);
}

void Client::finish() {
  if (idle_) stream_.channel().interrupt_reader();
}

runtime::Task<void> close_lingering(Client& client) {
  client.stream().shutdown_write();
  client.in().release();
  size_t thrown_away = 0;
  runtime::TimePoint deadline = client.now() + kLingerPatience;
  while (thrown_away < kLingerBytesMax) {
    auto count = co_await client.stream().read_some(client.in().room(), deadline);
    if (!count || *count == 0) break;
    thrown_away += *count;
  }
}

}  // namespace fairlead::proxy
