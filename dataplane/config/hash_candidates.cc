#include "config/hash_candidates.h"

#include <algorithm>
#include <tuple>

#include "config/snapshot.h"

namespace fairlead::config {

std::vector<HashCandidate> hash_candidates(const EligibleServers& servers, uint16_t default_weight) {
  struct Named {
    HashCandidate candidate;
    const std::string* name;
  };
  std::vector<Named> all;
  all.reserve(servers.size());
  servers.members().for_each([&](Slot slot, const base::Ref<const Server>& server) {
    const uint32_t weight = server->weight.value_or(default_weight);
    if (weight > 0) all.push_back({{server->address.to_string(), slot, weight}, &server->name});
  });
  std::ranges::sort(all, {}, [](const Named& named) { return std::tie(named.candidate.identity, *named.name); });
  // From the last to the first, so that each is compared with an address.
  for (size_t i = all.size(); i-- > 1;) {
    std::string& identity = all[i].candidate.identity;
    if (identity == all[i - 1].candidate.identity) (identity += '/') += *all[i].name;
  }
  std::vector<HashCandidate> candidates;
  candidates.reserve(all.size());
  for (Named& named : all) candidates.push_back(std::move(named.candidate));
  std::ranges::sort(candidates, {}, &HashCandidate::identity);
  return candidates;
}

}  // namespace fairlead::config
