#include "upstream/stick_table.h"

#include "absl/hash/hash.h"

namespace fairlead::upstream {

using runtime::Duration;
using runtime::TimePoint;

auto StickTable::part_of(uint64_t key) -> Part& {
  // The map within hashes anew; its bits are not to be those that chose the part.
  return parts_[absl::HashOf(key, 'p') % kParts];
}

auto StickTable::find(uint64_t key, TimePoint now, const config::StickTableSettings& settings, Looking looking)
    -> std::optional<Target> {
  return part_of(key).find(key, now, settings.effective_expire(), looking);
}

void StickTable::put(uint64_t key, Target target, TimePoint now, const config::StickTableSettings& settings) {
  size_t limit = (settings.effective_max_entries() + kParts - 1) / kParts;
  part_of(key).put(key, target, now, settings.effective_expire(), limit);
}

size_t StickTable::size() const {
  size_t size = 0;
  for (const Part& part : parts_) size += part.size();
  return size;
}

auto StickTable::Part::find(uint64_t key, TimePoint now, Duration expire, Looking looking) -> std::optional<Target> {
  std::lock_guard lock(mutex_);
  auto known = by_key_.find(key);
  if (known == by_key_.end()) return std::nullopt;
  uint32_t index = known->second;
  if (now - entries_[index].used >= expire) {
    remove(index);
    return std::nullopt;
  }
  if (looking == Looking::kUses) use(index, now);
  return entries_[index].target;
}

void StickTable::Part::put(uint64_t key, Target target, TimePoint now, Duration expire, size_t limit) {
  std::lock_guard lock(mutex_);
  if (auto known = by_key_.find(key); known != by_key_.end()) {
    entries_[known->second].target = target;
    return use(known->second, now);
  }
  // Two for each that comes, so that what has expired goes at last.
  for (int i = 0; i < 2 && last_ != kNone && now - entries_[last_].used >= expire; ++i) remove(last_);
  while (by_key_.size() >= limit) remove(last_);
  uint32_t index = take_entry();
  entries_[index] = {.key = key, .target = target, .used = now, .previous = kNone, .next = kNone};
  link_first(index);
  by_key_.emplace(key, index);
}

size_t StickTable::Part::size() const {
  std::lock_guard lock(mutex_);
  return by_key_.size();
}

uint32_t StickTable::Part::take_entry() {
  if (free_ == kNone) {
    entries_.emplace_back();
    return static_cast<uint32_t>(entries_.size() - 1);
  }
  uint32_t index = free_;
  free_ = entries_[index].next;
  return index;
}

void StickTable::Part::use(uint32_t index, TimePoint now) {
  entries_[index].used = now;
  if (index == first_) return;
  unlink(index);
  link_first(index);
}

void StickTable::Part::link_first(uint32_t index) {
  entries_[index].previous = kNone;
  entries_[index].next = first_;
  if (first_ != kNone) entries_[first_].previous = index;
  first_ = index;
  if (last_ == kNone) last_ = index;
}

void StickTable::Part::unlink(uint32_t index) {
  const Entry& entry = entries_[index];
  (entry.previous == kNone ? first_ : entries_[entry.previous].next) = entry.next;
  (entry.next == kNone ? last_ : entries_[entry.next].previous) = entry.previous;
}

void StickTable::Part::remove(uint32_t index) {
  unlink(index);
  by_key_.erase(entries_[index].key);
  entries_[index].next = free_;
  free_ = index;
}

}  // namespace fairlead::upstream
