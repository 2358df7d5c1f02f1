#include "server/inheritance.h"

#include <utility>

namespace fairlead::server {

Inheritance::Inheritance(std::vector<takeover::Offer> offers) : offers_(std::move(offers)), taken_(offers_.size()) {}

std::vector<base::Descriptor> Inheritance::take(takeover::Use use, uint64_t uid, const std::string& address) {
  std::lock_guard lock(mutex_);
  for (size_t i = 0; i < offers_.size(); ++i) {
    takeover::Offer& offer = offers_[i];
    // A port that the kernel has chosen belongs to the one listener that asked for any.
    bool is_it = offer.bound == address || (offer.wanted == address && offer.uid == uid);
    if (taken_[i] || offer.use != use || !is_it) continue;
    taken_[i] = true;
    return std::exchange(offer.sockets, {});
  }
  return {};
}

std::vector<bool> Inheritance::close() {
  std::lock_guard lock(mutex_);
  offers_.clear();
  return std::exchange(taken_, {});
}

}  // namespace fairlead::server
