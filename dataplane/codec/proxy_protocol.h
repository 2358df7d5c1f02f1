// The PROXY protocol, versions 1 and 2, without I/O (HAProxy's doc/proxy-protocol.txt, 2020/03/05): what a proxy says
// first on a connection of the client for whom it connects.
//
// Strict: numbers and addresses in canonical form, one space, exact lengths, no TLV beyond the header, each kind of
// those that we know at most once, a checksum that is right. Nothing behind the header is looked at.
#pragma once

#include <sys/socket.h>

#include <cstddef>
#include <span>
#include <string_view>

#include "codec/head_result.h"

namespace fairlead::codec {

// Of a whole header; longer ones are refused. A sender may not send more than 536 bytes at once, and has no need to.
inline constexpr size_t kMaxProxyHeader = 4096;
// "PROXY UNKNOWN" with two IPv6 addresses and CR LF (section 2.1).
inline constexpr size_t kMaxProxyV1 = 107;
// PP2_TYPE_UNIQUE_ID (section 2.2.5).
inline constexpr size_t kMaxUniqueId = 128;
inline constexpr size_t kMaxProxyAuthority = 255;
// Enough for any write_proxy_header().
inline constexpr size_t kMaxWrittenProxyHeader = 512;

struct ProxyHeader {
  // False where it says that the sender knows of no client, or connects for itself: the connection's own addresses
  // hold.
  bool has_addresses = false;
  // AF_INET or AF_INET6 both, or AF_UNIX without a path.
  sockaddr_storage source;
  sockaddr_storage destination;
  // In the bytes that were parsed; empty where they are not there. What client asked for (PP2_TYPE_AUTHORITY),
  std::string_view authority;
  // and the connection's name (PP2_TYPE_UNIQUE_ID).
  std::string_view unique_id;
};

// Parses the header at the beginning of `bytes` into `out`, which is undefined where the outcome is not kComplete.
HeadResult parse_proxy_header(std::string_view bytes, ProxyHeader& out);

struct ProxyHeaderToWrite {
  // Null, or of no IP family: nothing is known of a client.
  const sockaddr_storage* source = nullptr;
  const sockaddr_storage* destination = nullptr;
  // Of version 2; empty: not there. At most as long as above.
  std::string_view authority = {};
  std::string_view unique_id = {};
  bool crc32c = false;
};
// Into `out`, which has kMaxWrittenProxyHeader; the number of bytes. Where one address is of IPv4 and the other of IPv6
// both are written as IPv6.
size_t write_proxy_v1(const ProxyHeaderToWrite& header, std::span<char> out);
size_t write_proxy_v2(const ProxyHeaderToWrite& header, std::span<char> out);

}  // namespace fairlead::codec
