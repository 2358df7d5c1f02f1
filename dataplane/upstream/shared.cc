#include "upstream/shared.h"

#include <string>

#include "absl/hash/hash.h"
#include "base/check.h"

namespace fairlead::upstream {

SharedLoadRef::~SharedLoadRef() {
  if (load_) load_->owner_.release(*load_);
}

config::Uid SharedHolder::elect(config::Uid gone, config::Uid next, config::Revision revision) {
  std::lock_guard lock(mutex_);
  config::Uid now = uid_.load(std::memory_order_relaxed);
  if (now != gone || revision < elected_in_) return now;
  elected_in_ = revision;
  uid_.store(next, std::memory_order_release);
  return next;
}

Shared::~Shared() { FAIRLEAD_CHECK(loads_.empty()); }

// The address as well would cost more than the few servers that share a name with a former one.
size_t Shared::Hash::hash(const Key& key) { return absl::HashOf(key.backend, key.record.name); }

bool Shared::Equal::equal(const Key& a, const Key& b) {
  return a.backend == b.backend && a.record.name == b.record.name && a.record.address == b.record.address;
}

SharedLoadRef Shared::load_of(config::Uid backend, const base::Ref<const config::Server>& record) {
  std::lock_guard lock(mutex_);
  auto known = loads_.find(Key{backend, *record});
  SharedLoad* load = known == loads_.end() ? new SharedLoad(*this, backend, record) : *known;
  if (known == loads_.end()) loads_.insert(load);
  load->keepers_.fetch_add(1, std::memory_order_relaxed);
  return SharedLoadRef(load);
}

void Shared::release(SharedLoad& load) {
  std::lock_guard lock(mutex_);
  if (load.keepers_.fetch_sub(1, std::memory_order_relaxed) > 1) return;
  FAIRLEAD_CHECK(load.in_flight() == 0);
  loads_.erase(&load);
  delete &load;
}

size_t Shared::loads() const {
  std::lock_guard lock(mutex_);
  return loads_.size();
}

}  // namespace fairlead::upstream
