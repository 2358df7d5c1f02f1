#include "net/ip_text.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace fairlead::net {

std::optional<uint64_t> source_of_text(std::string_view text) {
  std::array<char, INET6_ADDRSTRLEN> terminated{};
  if (text.empty() || text.size() >= terminated.size()) return std::nullopt;
  text.copy(terminated.data(), text.size());
  in_addr ip4{};
  if (inet_pton(AF_INET, terminated.data(), &ip4) == 1) return uint64_t{1} << 32 | ntohl(ip4.s_addr);
  in6_addr ip6{};
  if (inet_pton(AF_INET6, terminated.data(), &ip6) != 1) return std::nullopt;
  uint64_t half = 0;
  std::memcpy(&half, &ip6, sizeof half);
  return std::max<uint64_t>(half, 1);
}

}  // namespace fairlead::net
