#include "proxy/introduce.h"

#include <netinet/in.h>

#include <array>
#include <optional>
#include <utility>

#include "absl/strings/str_format.h"
#include "codec/proxy_protocol.h"

namespace fairlead::proxy {
namespace {

// Where the client connected to: to us, or to the proxy that told us of it.
sockaddr_storage destination_of(Client& client) {
  if (client.proxied()) return client.proxied()->destination;
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  client.context().loop.driver().local_address(client.stream().channel().fd(), address, size);
  return address;
}

std::string unique_id_of(Client& client) {
  if (client.proxied() && !client.proxied()->unique_id.empty()) return client.proxied()->unique_id;
  base::Random& random = client.context().random;
  return absl::StrFormat("%016x%016x", random.next(), random.next());
}

std::string header_for(Client& client, const config::SendProxyProtocol& send) {
  const sockaddr_storage source = client.socket_address();
  const sockaddr_storage destination = destination_of(client);
  std::string unique_id;
  codec::ProxyHeaderToWrite header{.source = &source, .destination = &destination, .crc32c = send.crc32c};
  if (send.authority && client.proxied()) header.authority = client.proxied()->authority;
  if (send.unique_id) header.unique_id = unique_id = unique_id_of(client);
  std::array<char, codec::kMaxWrittenProxyHeader> bytes;
  const bool is_v1 = send.version == config::ProxyHeader::kV1;
  const size_t size = is_v1 ? codec::write_proxy_v1(header, bytes) : codec::write_proxy_v2(header, bytes);
  return {bytes.data(), size};
}

// With a port of the system's choice. Of a Unix socket's client there is none.
std::optional<config::SocketAddress> source_of(const Client& client) {
  if (!client.ip()) return std::nullopt;
  config::SocketAddress address{.storage = client.socket_address(), .size = 0};
  if (address.storage.ss_family == AF_INET) {
    reinterpret_cast<sockaddr_in&>(address.storage).sin_port = 0;
    address.size = sizeof(sockaddr_in);
  } else {
    reinterpret_cast<sockaddr_in6&>(address.storage).sin6_port = 0;
    address.size = sizeof(sockaddr_in6);
  }
  return address;
}

}  // namespace

void introduce(Client& client, const config::Backend& settings, upstream::Lease& lease) {
  upstream::Introduction introduction{.client = client.id()};
  if (settings.send_proxy_protocol) introduction.header = header_for(client, *settings.send_proxy_protocol);
  if (settings.pool.transparent) introduction.source = source_of(client);
  lease.introduce(std::move(introduction));
}

}  // namespace fairlead::proxy
