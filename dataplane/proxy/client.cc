#include "proxy/client.h"

#include <netinet/in.h>

#include <algorithm>
#include <cerrno>

namespace fairlead::proxy {
namespace {

constexpr runtime::Duration kLingerPatience = std::chrono::seconds(2);
constexpr size_t kLingerBytesMax = 1 << 20;

uint16_t port_of(const sockaddr_storage& address) {
  if (address.ss_family == AF_INET) return ntohs(reinterpret_cast<const sockaddr_in&>(address).sin_port);
  if (address.ss_family == AF_INET6) return ntohs(reinterpret_cast<const sockaddr_in6&>(address).sin6_port);
  return 0;
}

}  // namespace

uint64_t source_of(std::optional<config::IpNumber> ip) {
  if (!ip) return 0;
  if (config::is_ip4(*ip)) return uint64_t{1} << 32 | (absl::Uint128Low64(*ip) & 0xffff'ffff);
  return std::max<uint64_t>(absl::Uint128High64(*ip), 1);
}

Client::Client(Context& context, ListenerContext& listener, const Arrival& arrival)
    : context_(context),
      listener_(listener),
      stream_(context.loop, arrival.accepted.fd),
      in_(context.buffers),
      is_counted_(arrival.is_counted) {
  take_address(arrival.accepted.from);
  listener_.clients.push_back(*this);
  ++listener_.connections;
}

void Client::take_address(const sockaddr_storage& address) {
  const std::optional<config::IpNumber> ip = config::ip_number(address);
  has_ip_ = ip.has_value();
  ip_ = ip.value_or(0);
  port_ = port_of(address);
}

sockaddr_storage Client::socket_address() const {
  sockaddr_storage address{};
  address.ss_family = AF_UNIX;
  if (!has_ip_) return address;
  if (config::is_ip4(ip_)) {
    auto& ip4 = reinterpret_cast<sockaddr_in&>(address);
    ip4.sin_family = AF_INET;
    ip4.sin_addr.s_addr = htonl(static_cast<uint32_t>(absl::Uint128Low64(ip_)));
    ip4.sin_port = htons(port_);
    return address;
  }
  auto& ip6 = reinterpret_cast<sockaddr_in6&>(address);
  ip6.sin6_family = AF_INET6;
  const std::array<uint8_t, 16> bytes = bytes_of(ip_);
  std::ranges::copy(bytes, ip6.sin6_addr.s6_addr);
  ip6.sin6_port = htons(port_);
  return address;
}

void Client::take_proxy_header(const codec::ProxyHeader& header) {
  if (!header.has_addresses) return;
  take_address(header.source);
  proxied_ = std::make_unique<Proxied>(Proxied{.destination = header.destination,
                                               .authority = std::string(header.authority),
                                               .unique_id = std::string(header.unique_id)});
}

Client::~Client() {
  --listener_.connections;
  listener_.of_all_workers->open.fetch_sub(1, std::memory_order_relaxed);
  context_.process->leave();
  if (is_counted_) [[unlikely]]
    listener_.of_all_workers->client_counts.leave(source());
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

runtime::Task<net::IoResult<void>> first_byte(Client& client, runtime::TimePoint deadline) {
  while (true) {
    client.set_idle(true);
    net::IoResult<void> readable = co_await client.stream().readable(client.idle_until(deadline));
    client.set_idle(false);
    if (readable || client.stream().channel().is_cancelled()) co_return readable;
    if (client.now() >= deadline) co_return std::unexpected(net::IoError::kTimedOut);
    if (readable.error() == net::IoError::kTimedOut) co_return std::unexpected(net::IoError::kCancelled);
    // finish() has come: from here on another deadline holds.
  }
}

namespace {

// As Channel::try_read(), into nowhere.
ssize_t read_away(runtime::Channel& channel) {
  std::array<char, 16 * 1024> bytes;
  return channel.try_read(bytes);
}

}  // namespace

runtime::Task<void> close_lingering(Client& client) {
  client.stream().shutdown_write();
  client.in().release();
  size_t thrown_away = 0;
  runtime::TimePoint deadline = client.now() + kLingerPatience;
  while (thrown_away < kLingerBytesMax) {
    auto readable = co_await client.stream().readable(deadline);
    if (!readable) break;
    ssize_t count = read_away(client.stream().channel());
    if (count == -EAGAIN) continue;
    if (count <= 0) break;
    thrown_away += static_cast<size_t>(count);
  }
}

}  // namespace fairlead::proxy
