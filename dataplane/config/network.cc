#include "config/network.h"

#include <netinet/in.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <ranges>

#include "config/endpoint.h"
#include "config/text.h"
#include "config/validate.h"

namespace fairlead::config {
namespace {

constexpr IpNumber kIp4Prefix = IpNumber{0xffff} << 32;
constexpr std::string_view kForms = "10.0.0.0/8, 2001:db8::/32 or 10.1.2.3";

IpNumber number_of(const void* bytes) {
  IpNumber number = 0;
  const auto* byte = static_cast<const uint8_t*>(bytes);
  for (int i = 0; i < 16; ++i) number = number << 8 | IpNumber{byte[i]};
  return number;
}

IpNumber number_of(const Endpoint& ip) {
  if (const auto* ip4 = std::get_if<Ip4Endpoint>(&ip.value())) return kIp4Prefix | IpNumber{ip4->address};
  return number_of(std::get<Ip6Endpoint>(ip.value()).address.data());
}

// Canonical decimal: no sign, no leading zero.
std::optional<int> parse_bits(std::string_view text, int most) {
  if (text.empty() || text.size() > 3 || (text.size() > 1 && text.front() == '0')) return std::nullopt;
  int value = 0;
  for (char digit : text) {
    if (digit < '0' || digit > '9') return std::nullopt;
    value = value * 10 + (digit - '0');
  }
  if (value > most) return std::nullopt;
  return value;
}

absl::Status wrong(std::string_view text, std::string_view problem) {
  return absl::InvalidArgumentError(concat(quoted(text), " ", problem));
}

}  // namespace

std::optional<IpNumber> ip_number(const sockaddr_storage& address) {
  if (address.ss_family == AF_INET) {
    return kIp4Prefix | IpNumber{ntohl(reinterpret_cast<const sockaddr_in&>(address).sin_addr.s_addr)};
  }
  if (address.ss_family != AF_INET6) return std::nullopt;
  return number_of(reinterpret_cast<const sockaddr_in6&>(address).sin6_addr.s6_addr);
}

bool is_ip4(IpNumber address) { return (address >> 32) == (kIp4Prefix >> 32); }

absl::StatusOr<Network> Network::parse(std::string_view text) {
  const size_t slash = text.find('/');
  absl::StatusOr<Endpoint> ip = parse_ip(text.substr(0, slash));
  if (!ip.ok()) return wrong(text, concat("is not a network, such as ", kForms));
  const IpNumber address = number_of(*ip);
  if (slash == std::string_view::npos) return Network{address, address};
  const bool is_four = std::holds_alternative<Ip4Endpoint>(ip->value());
  const int most = is_four ? 32 : 128;
  std::optional<int> bits = parse_bits(text.substr(slash + 1), most);
  if (!bits) return wrong(text, concat("is not a network: its length is 0 to ", most, ", as in ", kForms));
  const int free = most - *bits;
  const IpNumber host = free == 128 ? absl::Uint128Max() : (IpNumber{1} << free) - 1;
  if ((address & host) != 0) {
    return wrong(text, concat("is not a network: there are bits set beyond the first ", *bits));
  }
  return Network{address, address | host};
}

namespace {

// By their starts; each holds up to the next.
using Painted = std::map<IpNumber, bool>;

void paint(Painted& values, Network network, bool value) {
  const bool behind = std::prev(values.upper_bound(network.last))->second;
  values.erase(values.lower_bound(network.first), values.upper_bound(network.last));
  values[network.first] = value;
  if (network.last != absl::Uint128Max()) values.emplace(network.last + 1, behind);
}

}  // namespace

// From the last entry to the first, so that who comes first is painted over the others.
NetworkTable::NetworkTable(const std::vector<Entry>& entries, bool otherwise) {
  constexpr Network kIp4{kIp4Prefix, kIp4Prefix | IpNumber{0xffff'ffff}};
  Painted values{{0, otherwise}};
  for (const Entry& entry : std::views::reverse(entries)) {
    const Network& network = entry.network;
    // A network of IPv6 that lies around it, such as ::/0, has none of IPv4.
    const bool is_around = network.first < kIp4.first && network.last > kIp4.last;
    if (is_around) {
      paint(values, {network.first, kIp4.first - 1}, entry.value);
      paint(values, {kIp4.last + 1, network.last}, entry.value);
    } else {
      paint(values, network, entry.value);
    }
  }
  for (const auto& [start, value] : values) {
    if (!values_.empty() && values_.back() == value) continue;
    starts_.push_back(start);
    values_.push_back(value);
  }
}

bool NetworkTable::find(IpNumber address) const {
  const auto behind = std::ranges::upper_bound(starts_, address);
  return values_[static_cast<size_t>(behind - starts_.begin()) - 1];
}

}  // namespace fairlead::config
