#include "store/address_choice.h"

#include <algorithm>

#include "base/xxh64.h"

namespace fairlead::store {
namespace {

uint64_t score(const std::string& server, const config::Endpoint& address) {
  base::Xxh64 hash;
  hash.add(server);
  hash.add(address.to_string());
  return hash.value();
}

// How many have each address, by its place.
class Shares {
 public:
  Shares(const std::vector<config::Endpoint>& addresses, size_t present)
      : addresses_(addresses), present_(present), counts_(addresses.size()) {}

  void add(size_t place) { ++counts_[place]; }
  void move(size_t from, size_t to) { --counts_[from], ++counts_[to]; }
  bool is_shared(size_t place) const { return counts_[place] > 1; }
  // Among the present ones. Requires that there are any.
  size_t best_for(const NameHolder& holder) const {
    size_t best = 0;
    for (size_t place = 1; place < present_; ++place) {
      if (counts_[place] > counts_[best]) continue;
      bool is_better = counts_[place] < counts_[best] ||
                       score(holder.server, addresses_[place]) > score(holder.server, addresses_[best]);
      if (is_better) best = place;
    }
    return best;
  }
  bool has_unused() const {
    return std::find(counts_.begin(), counts_.begin() + static_cast<ptrdiff_t>(present_), 0u) !=
           counts_.begin() + static_cast<ptrdiff_t>(present_);
  }

 private:
  const std::vector<config::Endpoint>& addresses_;
  const size_t present_;
  std::vector<uint32_t> counts_;
};

}  // namespace

std::vector<std::optional<config::Endpoint>> choose_addresses(const std::vector<config::Endpoint>& addresses,
                                                              size_t present, const std::vector<NameHolder>& holders) {
  std::vector<std::optional<config::Endpoint>> chosen(holders.size());
  if (present == 0) present = addresses.size();
  if (addresses.empty()) return chosen;
  Shares shares(addresses, present);
  std::vector<std::optional<size_t>> places(holders.size());
  for (size_t i = 0; i < holders.size(); ++i) {
    for (size_t place = 0; place < addresses.size(); ++place) {
      if (holders[i].address != addresses[place].with_port(holders[i].port)) continue;
      places[i] = place;
      shares.add(place);
    }
  }
  for (size_t i = 0; i < holders.size(); ++i) {
    if (places[i]) continue;
    places[i] = shares.best_for(holders[i]);
    shares.add(*places[i]);
  }
  for (size_t i = holders.size(); i-- > 0 && shares.has_unused();) {
    if (!shares.is_shared(*places[i])) continue;
    size_t place = shares.best_for(holders[i]);
    shares.move(*places[i], place);
    places[i] = place;
  }
  for (size_t i = 0; i < holders.size(); ++i) chosen[i] = addresses[*places[i]].with_port(holders[i].port);
  return chosen;
}

}  // namespace fairlead::store
