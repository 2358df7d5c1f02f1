// How many servers have an address, by a fingerprint of 32 bits: says in a look whether a listener's new address may be
// where a server of ours is, so that only where it may is each of them asked. Belongs to the store's thread.
#pragma once

#include <cstdint>

#include "absl/container/flat_hash_map.h"
#include "config/endpoint.h"

namespace fairlead::store {

class AddressCounts {
 public:
  void add(const config::Endpoint& address);
  // Requires that it was added.
  void remove(const config::Endpoint& address);
  // False: connections to none of the addresses arrive at `place`, as config::arrives_at() says.
  bool may_arrive_at(const config::Endpoint& place) const;

 private:
  absl::flat_hash_map<uint32_t, uint32_t> counts_;
};

}  // namespace fairlead::store
