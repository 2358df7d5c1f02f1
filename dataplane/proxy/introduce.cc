#include "proxy/introduce.h"

#include <netinet/in.h>

#include <array>

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

}  // namespace

void introduce(Client& client, const config::Backend& settings, upstream::Lease& lease) {
  const config::SendProxyProtocol& send = *settings.send_proxy_protocol;
  const sockaddr_storage source = client.socket_address();
  const sockaddr_storage destination = destination_of(client);
  std::string unique_id;
  codec::ProxyHeaderToWrite header{.source = &source, .destination = &destination, .crc32c = send.crc32c};
  if (send.authority && client.proxied()) header.authority = client.proxied()->authority;
  if (send.unique_id) header.unique_id = unique_id = unique_id_of(client);
  std::array<char, codec::kMaxWrittenProxyHeader> bytes;
  const bool is_v1 = send.version == config::ProxyHeader::kV1;
  const size_t size = is_v1 ? codec::write_proxy_v1(header, bytes) : codec::write_proxy_v2(header, bytes);
  lease.introduce(client.id(), std::string(bytes.data(), size));
}

}  // namespace fairlead::proxy
