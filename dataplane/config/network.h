// Networks of clients: as text, and as tables that say in logarithmic time what holds for an address. Pure; any thread
// may read.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "absl/numeric/int128.h"
#include "absl/status/statusor.h"

namespace fairlead::config {

// An IP address as a number: of IPv6 its 16 bytes, of IPv4 those of ::ffff:a.b.c.d (RFC 4291 section 2.5.5.2), so that
// an address which came both ways is one.
using IpNumber = absl::uint128;

// Unset for anything but IPv4 and IPv6.
std::optional<IpNumber> ip_number(const sockaddr_storage& address);
bool is_ip4(IpNumber address);

// All addresses from `first` to `last`.
struct Network {
  IpNumber first;
  IpNumber last;

  // "10.0.0.0/8", "2001:db8::/32", "10.1.2.3". The error says what is wrong, without naming a field.
  static absl::StatusOr<Network> parse(std::string_view text);
  bool operator==(const Network&) const = default;
};

// What the first of an ordered list of networks says of an address. As sorted ranges without overlap, at most two for
// each network.
class NetworkTable {
 public:
  struct Entry {
    Network network;
    bool value = false;
  };

  // `otherwise` for addresses that no entry has.
  NetworkTable(const std::vector<Entry>& entries, bool otherwise);
  bool find(IpNumber address) const;
  size_t ranges() const { return starts_.size(); }

 private:
  // The n-th value holds from the n-th start to the next; the first start is 0.
  std::vector<IpNumber> starts_;
  std::vector<bool> values_;
};

}  // namespace fairlead::config
