#include "server/settling.h"

namespace fairlead::server {

template <typename Key>
void Settling::change(absl::flat_hash_set<Key>& all, const std::vector<Key>& some, bool expected) {
  if (!is_on()) return;
  std::lock_guard lock(mutex_);
  for (const Key& key : some) {
    if (expected) {
      all.insert(key);
    } else {
      all.erase(key);
    }
  }
  if (names_.empty() && servers_.empty()) changed_.notify_all();
}
template void Settling::change(absl::flat_hash_set<std::string>&, const std::vector<std::string>&, bool);
template void Settling::change(absl::flat_hash_set<config::Uid>&, const std::vector<config::Uid>&, bool);

void Settling::end() {
  std::lock_guard lock(mutex_);
  on_ = false;
  names_ = {};
  servers_ = {};
}

bool Settling::wait_until(std::chrono::steady_clock::time_point deadline) {
  std::unique_lock lock(mutex_);
  return changed_.wait_until(lock, deadline, [this] { return names_.empty() && servers_.empty(); });
}

}  // namespace fairlead::server
