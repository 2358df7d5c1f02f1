#include "proxy/forwarded_text.h"

#include <arpa/inet.h>

#include <string_view>

namespace fairlead::proxy {
namespace {

using AddressText = std::array<char, INET6_ADDRSTRLEN>;

char* put_number(char* out, unsigned number) {
  if (number >= 100) *out++ = static_cast<char>('0' + number / 100);
  if (number >= 10) *out++ = static_cast<char>('0' + number / 10 % 10);
  *out++ = static_cast<char>('0' + number % 10);
  return out;
}

// inet_ntop() takes as long as the rest of a head.
std::string_view write_ip4(uint32_t ip, AddressText& text) {
  char* out = text.data();
  for (int shift = 24; shift >= 0; shift -= 8) {
    out = put_number(out, ip >> shift & 0xff);
    if (shift > 0) *out++ = '.';
  }
  return {text.data(), static_cast<size_t>(out - text.data())};
}

// One that came as ::ffff:a.b.c.d is a.b.c.d.
std::string_view write_address(config::IpNumber ip, AddressText& text) {
  if (config::is_ip4(ip)) return write_ip4(static_cast<uint32_t>(absl::Uint128Low64(ip)), text);
  const std::array<uint8_t, 16> bytes = bytes_of(ip);
  inet_ntop(AF_INET6, bytes.data(), text.data(), text.size());
  return text.data();
}

}  // namespace

std::array<uint8_t, 16> bytes_of(config::IpNumber ip) {
  std::array<uint8_t, 16> bytes;
  for (size_t i = bytes.size(); i > 0; --i, ip >>= 8) bytes[i - 1] = static_cast<uint8_t>(absl::Uint128Low64(ip));
  return bytes;
}

void ForwardedText::make(const Key& key) {
  AddressText text;
  lines_ = codec::make_forwarded_lines(key.has_ip ? write_address(key.ip, text) : "unix", key.is_tls ? "https" : "http",
                                       memory_);
  key_ = key;
  is_made_ = true;
}

}  // namespace fairlead::proxy
