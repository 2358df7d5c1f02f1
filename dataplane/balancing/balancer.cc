#include "balancing/balancer.h"

#include "balancing/shares.h"

namespace fairlead::balancing {

const config::Server* Balancer::find_untried(const config::BackendSnapshot& backend, base::Random& random,
                                             Tried tried) {
  const auto& classes = backend.eligible.classes();
  uint16_t default_weight = backend.settings->effective_default_weight();
  // Starts anywhere, lest all retries of a time meet on one server.
  size_t first = random.below(classes.size());
  for (size_t i = 0; i < classes.size(); ++i) {
    const auto& entry = classes[(first + i) % classes.size()];
    if (weight_of(entry, default_weight) == 0) continue;
    uint32_t size = entry.servers.size();
    uint64_t start = random.below(size);
    for (uint64_t step = 0; step < std::min<uint64_t>(size, tried.size() + 1); ++step) {
      config::Slot slot = 0;
      const config::Server* server = entry.servers.nth(static_cast<uint32_t>((start + step) % size), slot)->get();
      if (!contains(tried, *server)) return server;
    }
  }
  return nullptr;
}

}  // namespace fairlead::balancing
