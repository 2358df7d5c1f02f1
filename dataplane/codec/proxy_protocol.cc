#include "codec/proxy_protocol.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <utility>

#include "base/check.h"
#include "codec/crc32c.h"

namespace fairlead::codec {
namespace {

using namespace std::string_view_literals;

constexpr Refusal kAbsent{400, "proxy_header_absent"};
constexpr Refusal kTooLong{400, "proxy_header_too_long"};
constexpr Refusal kBadLine{400, "proxy_header_malformed"};
constexpr Refusal kBadVersion{400, "proxy_header_version"};
constexpr Refusal kBadFamily{400, "proxy_header_family"};
constexpr Refusal kTooShort{400, "proxy_header_too_short"};
constexpr Refusal kBadTlv{400, "proxy_header_tlv"};
constexpr Refusal kBadChecksum{400, "proxy_header_checksum"};

constexpr std::string_view kLineStart = "PROXY ";
constexpr std::string_view kSignature = "\r\n\r\n\0\r\nQUIT\n"sv;
constexpr size_t kFixedSize = 16;

// PP2_TYPE_*
constexpr unsigned char kAuthority = 0x02;
constexpr unsigned char kCrc32c = 0x03;
constexpr unsigned char kUniqueId = 0x05;

HeadResult incomplete() { return {}; }
HeadResult refused(const Refusal& why) { return {.outcome = HeadOutcome::kRefused, .consumed = 0, .refusal = &why}; }
HeadResult complete(size_t consumed) {
  return {.outcome = HeadOutcome::kComplete, .consumed = consumed, .refusal = nullptr};
}

unsigned char byte_at(std::string_view bytes, size_t at) { return static_cast<unsigned char>(bytes[at]); }
size_t number16(std::string_view bytes, size_t at) { return size_t{byte_at(bytes, at)} << 8 | byte_at(bytes, at + 1); }

// ---- addresses

sockaddr_in& as_ip4(sockaddr_storage& address) { return reinterpret_cast<sockaddr_in&>(address); }
sockaddr_in6& as_ip6(sockaddr_storage& address) { return reinterpret_cast<sockaddr_in6&>(address); }
const sockaddr_in& as_ip4(const sockaddr_storage& address) { return reinterpret_cast<const sockaddr_in&>(address); }
const sockaddr_in6& as_ip6(const sockaddr_storage& address) { return reinterpret_cast<const sockaddr_in6&>(address); }

// Of IPv6 also one that stands for an IPv4 address.
void set_address(sockaddr_storage& address, sa_family_t family, const void* ip, uint16_t port_in_network_order) {
  std::memset(&address, 0, sizeof address);
  address.ss_family = family;
  if (family == AF_INET) {
    std::memcpy(&as_ip4(address).sin_addr, ip, sizeof(in_addr));
    as_ip4(address).sin_port = port_in_network_order;
  } else if (family == AF_INET6) {
    std::memcpy(&as_ip6(address).sin6_addr, ip, sizeof(in6_addr));
    as_ip6(address).sin6_port = port_in_network_order;
  }
}

// ---- version 1

// Up to the next space, which goes with it.
std::string_view take_word(std::string_view& line) {
  const size_t end = std::min(line.find(' '), line.size());
  const std::string_view word = line.substr(0, end);
  line.remove_prefix(std::min(end + 1, line.size()));
  return word;
}

std::optional<uint16_t> parse_port(std::string_view text) {
  if (text.empty() || (text.size() > 1 && text.front() == '0')) return std::nullopt;
  uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return port;
}

bool parse_address(std::string_view ip, std::string_view port_text, sa_family_t family, sockaddr_storage& out) {
  char text[INET6_ADDRSTRLEN] = {};
  // inet_pton knows neither short forms, nor leading zeros in IPv4, nor zones; it would stop at a NUL.
  if (ip.size() >= sizeof text || ip.contains('\0')) return false;
  ip.copy(text, ip.size());
  in6_addr address;
  if (inet_pton(family, text, &address) != 1) return false;
  const std::optional<uint16_t> port = parse_port(port_text);
  if (!port) return false;
  set_address(out, family, &address, htons(*port));
  return true;
}

bool parse_line(std::string_view line, ProxyHeader& out) {
  const std::string_view protocol = take_word(line);
  if (protocol == "UNKNOWN") return true;  // whatever follows
  if (protocol != "TCP4" && protocol != "TCP6") return false;
  const sa_family_t family = protocol == "TCP4" ? AF_INET : AF_INET6;
  if (std::ranges::count(line, ' ') != 3) return false;
  const std::string_view source = take_word(line);
  const std::string_view destination = take_word(line);
  const std::string_view source_port = take_word(line);
  out.has_addresses = parse_address(source, source_port, family, out.source) &&
                      parse_address(destination, line, family, out.destination);
  return out.has_addresses;
}

HeadResult parse_v1(std::string_view bytes, ProxyHeader& out) {
  const std::string_view shown = bytes.substr(0, kMaxProxyV1);
  const size_t end = shown.find("\r\n");
  if (end == std::string_view::npos) return shown.size() < kMaxProxyV1 ? incomplete() : refused(kTooLong);
  if (!parse_line(shown.substr(kLineStart.size(), end - kLineStart.size()), out)) return refused(kBadLine);
  return complete(end + 2);
}

// ---- version 2

struct Family {
  sa_family_t family = AF_UNSPEC;
  // Of the addresses and ports of both sides.
  size_t size = 0;
};

// Of the second byte: families in the upper half, 1 (stream) in the lower. Datagrams do not come over a stream.
std::optional<Family> family_of(unsigned char byte) {
  switch (byte) {
    case 0x00:
      return Family{};
    case 0x11:
      return Family{AF_INET, 12};
    case 0x21:
      return Family{AF_INET6, 36};
    case 0x31:
      return Family{AF_UNIX, 216};
    default:
      return std::nullopt;
  }
}

void take_addresses(std::string_view block, Family family, ProxyHeader& out) {
  if (family.family == AF_UNSPEC) return;
  out.has_addresses = true;
  const size_t ip_size = family.family == AF_INET ? sizeof(in_addr) : sizeof(in6_addr);
  const auto port = [&](size_t at) {
    uint16_t in_network_order = 0;
    if (family.family != AF_UNIX) std::memcpy(&in_network_order, block.data() + at, sizeof in_network_order);
    return in_network_order;
  };
  set_address(out.source, family.family, block.data(), port(2 * ip_size));
  set_address(out.destination, family.family, block.data() + ip_size, port(2 * ip_size + 2));
}

// As if its own checksum were zero.
bool checksum_is_right(std::string_view header, size_t checksum_at) {
  uint32_t computed = crc32c(header.substr(0, checksum_at));
  computed = crc32c("\0\0\0\0"sv, computed);
  computed = crc32c(header.substr(checksum_at + 4), computed);
  const uint32_t given = static_cast<uint32_t>(number16(header, checksum_at) << 16 | number16(header, checksum_at + 2));
  return computed == given;
}

// Those that we do not know are passed over.
Verdict take_tlvs(std::string_view header, size_t at, ProxyHeader& out) {
  std::optional<size_t> checksum_at;
  bool has_authority = false;
  bool has_unique_id = false;
  while (at < header.size()) {
    if (header.size() - at < 3) return &kBadTlv;
    const unsigned char type = byte_at(header, at);
    const size_t size = number16(header, at + 1);
    at += 3;
    if (size > header.size() - at) return &kBadTlv;
    const std::string_view value = header.substr(at, size);
    if (type == kCrc32c) {
      if (checksum_at || size != 4) return &kBadTlv;
      checksum_at = at;
    } else if (type == kAuthority) {
      if (std::exchange(has_authority, true) || size > kMaxProxyAuthority) return &kBadTlv;
      out.authority = value;
    } else if (type == kUniqueId) {
      if (std::exchange(has_unique_id, true) || size > kMaxUniqueId) return &kBadTlv;
      out.unique_id = value;
    }
    at += size;
  }
  if (checksum_at && !checksum_is_right(header, *checksum_at)) return &kBadChecksum;
  return kGoOn;
}

HeadResult parse_v2(std::string_view bytes, ProxyHeader& out) {
  constexpr unsigned char kLocal = 0x20;
  constexpr unsigned char kProxy = 0x21;
  if (bytes.size() <= kSignature.size()) return incomplete();
  const unsigned char version_and_command = byte_at(bytes, 12);
  if (version_and_command != kLocal && version_and_command != kProxy) return refused(kBadVersion);
  const bool is_local = version_and_command == kLocal;
  if (bytes.size() <= 13) return incomplete();
  const std::optional<Family> family = is_local ? Family{} : family_of(byte_at(bytes, 13));
  if (!family) return refused(kBadFamily);
  if (bytes.size() < kFixedSize) return incomplete();
  const size_t size = kFixedSize + number16(bytes, 14);
  if (size > kMaxProxyHeader) return refused(kTooLong);
  if (size < kFixedSize + family->size) return refused(kTooShort);
  if (bytes.size() < size) return incomplete();
  // Whatever follows is thrown away where no addresses are said.
  if (family->family == AF_UNSPEC) return complete(size);
  const std::string_view header = bytes.substr(0, size);
  take_addresses(header.substr(kFixedSize), *family, out);
  const Verdict verdict = take_tlvs(header, kFixedSize + family->size, out);
  return verdict == kGoOn ? complete(size) : refused(*verdict);
}

bool begins_as(std::string_view bytes, std::string_view beginning) {
  const size_t size = std::min(bytes.size(), beginning.size());
  return bytes.substr(0, size) == beginning.substr(0, size);
}

}  // namespace

HeadResult parse_proxy_header(std::string_view bytes, ProxyHeader& out) {
  out.has_addresses = false;
  out.authority = out.unique_id = {};
  if (begins_as(bytes, kLineStart)) return bytes.size() < kLineStart.size() ? incomplete() : parse_v1(bytes, out);
  if (begins_as(bytes, kSignature)) return parse_v2(bytes, out);
  return refused(kAbsent);
}

// ---- writing

namespace {

bool is_ip(const sockaddr_storage* address) {
  return address && (address->ss_family == AF_INET || address->ss_family == AF_INET6);
}

uint16_t port_in_network_order(const sockaddr_storage& address) {
  return address.ss_family == AF_INET ? as_ip4(address).sin_port : as_ip6(address).sin6_port;
}

in6_addr ip6_of(const sockaddr_storage& address) {
  if (address.ss_family == AF_INET6) return as_ip6(address).sin6_addr;
  in6_addr mapped{};
  mapped.s6_addr[10] = mapped.s6_addr[11] = 0xff;
  std::memcpy(mapped.s6_addr + 12, &as_ip4(address).sin_addr, sizeof(in_addr));
  return mapped;
}

std::string ip_text(const sockaddr_storage& address, bool as_ip6_text) {
  char text[INET6_ADDRSTRLEN] = {};
  if (as_ip6_text) {
    const in6_addr ip = ip6_of(address);
    inet_ntop(AF_INET6, &ip, text, sizeof text);
  } else {
    inet_ntop(AF_INET, &as_ip4(address).sin_addr, text, sizeof text);
  }
  return text;
}

class Output {
 public:
  explicit Output(std::span<char> room) : room_(room) {}
  void put(std::string_view bytes) {
    FAIRLEAD_CHECK(bytes.size() <= room_.size() - size_);
    bytes.copy(room_.data() + size_, bytes.size());
    size_ += bytes.size();
  }
  void put(const void* bytes, size_t size) { put({static_cast<const char*>(bytes), size}); }
  void put16(size_t number) {
    const char bytes[] = {static_cast<char>(number >> 8), static_cast<char>(number)};
    put({bytes, sizeof bytes});
  }
  void put_tlv(unsigned char type, std::string_view value) {
    const char byte = static_cast<char>(type);
    put({&byte, 1});
    put16(value.size());
    put(value);
  }
  void replace(size_t at, std::string_view bytes) { bytes.copy(room_.data() + at, bytes.size()); }
  size_t size() const { return size_; }
  std::string_view written() const { return {room_.data(), size_}; }

 private:
  std::span<char> room_;
  size_t size_ = 0;
};

bool are_ip4(const ProxyHeaderToWrite& header) {
  return header.source->ss_family == AF_INET && header.destination->ss_family == AF_INET;
}

void put_addresses(Output& out, const ProxyHeaderToWrite& header) {
  for (const sockaddr_storage* address : {header.source, header.destination}) {
    if (are_ip4(header)) {
      out.put(&as_ip4(*address).sin_addr, sizeof(in_addr));
    } else {
      const in6_addr ip = ip6_of(*address);
      out.put(&ip, sizeof ip);
    }
  }
  for (const sockaddr_storage* address : {header.source, header.destination}) {
    const uint16_t port = port_in_network_order(*address);
    out.put(&port, sizeof port);
  }
}

}  // namespace

size_t write_proxy_v1(const ProxyHeaderToWrite& header, std::span<char> room) {
  Output out(room);
  if (!is_ip(header.source) || !is_ip(header.destination)) {
    out.put("PROXY UNKNOWN\r\n");
    return out.size();
  }
  const bool as_ip6_text = !are_ip4(header);
  out.put(as_ip6_text ? "PROXY TCP6 " : "PROXY TCP4 ");
  out.put(ip_text(*header.source, as_ip6_text) + " " + ip_text(*header.destination, as_ip6_text) + " ");
  out.put(std::to_string(ntohs(port_in_network_order(*header.source))) + " ");
  out.put(std::to_string(ntohs(port_in_network_order(*header.destination))) + "\r\n");
  return out.size();
}

size_t write_proxy_v2(const ProxyHeaderToWrite& header, std::span<char> room) {
  Output out(room);
  out.put(kSignature);
  if (!is_ip(header.source) || !is_ip(header.destination)) {
    out.put("\x20\0\0\0"sv);
    return out.size();
  }
  out.put(are_ip4(header) ? "\x21\x11\0\0"sv : "\x21\x21\0\0"sv);
  put_addresses(out, header);
  if (!header.authority.empty()) out.put_tlv(kAuthority, header.authority.substr(0, kMaxProxyAuthority));
  if (!header.unique_id.empty()) out.put_tlv(kUniqueId, header.unique_id.substr(0, kMaxUniqueId));
  if (header.crc32c) out.put_tlv(kCrc32c, "\0\0\0\0"sv);
  const size_t behind = out.size() - kFixedSize;
  const char size[] = {static_cast<char>(behind >> 8), static_cast<char>(behind)};
  out.replace(14, {size, sizeof size});
  if (header.crc32c) {
    const uint32_t sum = htonl(crc32c(out.written()));
    out.replace(out.size() - 4, {reinterpret_cast<const char*>(&sum), sizeof sum});
  }
  return out.size();
}

}  // namespace fairlead::codec
