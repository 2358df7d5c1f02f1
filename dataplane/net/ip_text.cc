#include "net/ip_text.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace fairlead::net {

std::optional<uint64_t> source_of_text(std::string_view text, std::string& spelled) {
  std::array<char, INET6_ADDRSTRLEN> buffer{};
  if (text.empty() || text.size() >= buffer.size()) return std::nullopt;
  text.copy(buffer.data(), text.size());
  in_addr ip4{};
  in6_addr ip6{};
  bool is_ip4 = inet_pton(AF_INET, buffer.data(), &ip4) == 1;
  if (!is_ip4 && inet_pton(AF_INET6, buffer.data(), &ip6) != 1) return std::nullopt;
  if (!is_ip4 && IN6_IS_ADDR_V4MAPPED(&ip6)) {
    std::memcpy(&ip4, ip6.s6_addr + 12, sizeof ip4);
    is_ip4 = true;
  }
  inet_ntop(is_ip4 ? AF_INET : AF_INET6, is_ip4 ? static_cast<void*>(&ip4) : &ip6, buffer.data(), buffer.size());
  spelled = buffer.data();
  if (is_ip4) return uint64_t{1} << 32 | ntohl(ip4.s_addr);
  uint64_t half = 0;
  std::memcpy(&half, &ip6, sizeof half);
  return std::max<uint64_t>(half, 1);
}

}  // namespace fairlead::net
