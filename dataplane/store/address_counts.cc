#include "store/address_counts.h"

#include <string_view>

#include "absl/hash/hash.h"
#include "base/check.h"

namespace fairlead::store {
namespace {

struct Fingerprint {
  size_t operator()(const config::Ip4Endpoint& ip4) const { return absl::HashOf(4, ip4.address, ip4.port); }
  size_t operator()(const config::Ip6Endpoint& ip6) const { return absl::HashOf(6, ip6.address, ip6.port); }
  size_t operator()(const config::UnixEndpoint& socket) const { return absl::HashOf(1, socket.path); }
  size_t operator()(const config::NameEndpoint& name) const { return absl::HashOf(2, name.text); }
};

uint32_t fingerprint(const config::Endpoint& address) {
  return static_cast<uint32_t>(std::visit(Fingerprint{}, address.value()));
}

}  // namespace

// A loopback address counts twice: it also arrives at what is bound to all addresses of its port.
void AddressCounts::add(const config::Endpoint& address) {
  ++counts_[fingerprint(address)];
  if (address.is_loopback()) ++counts_[fingerprint(address.unspecified())];
}

void AddressCounts::remove(const config::Endpoint& address) {
  auto release = [this](uint32_t key) {
    auto at = counts_.find(key);
    FAIRLEAD_CHECK(at != counts_.end());
    if (--at->second == 0) counts_.erase(at);
  };
  release(fingerprint(address));
  if (address.is_loopback()) release(fingerprint(address.unspecified()));
}

bool AddressCounts::may_arrive_at(const config::Endpoint& place) const { return counts_.contains(fingerprint(place)); }

}  // namespace fairlead::store
