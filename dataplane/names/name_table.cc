#include "names/name_table.h"

#include <algorithm>

#include "base/check.h"
#include "config/text.h"

namespace fairlead::names {

using runtime::Duration;
using runtime::TimePoint;

namespace {

// One takes the other's place.
bool is_same(const config::Endpoint& a, const config::Endpoint& b) { return a == b; }
bool is_same(const config::Service& a, const config::Service& b) { return a.target == b.target && a.port == b.port; }

std::string count_text(const Part& answer) {
  size_t count = answer.addresses.size() + answer.services.size();
  std::string_view unit = answer.services.empty() ? "address" : "server";
  std::string_view plural = count == 1 ? "" : answer.services.empty() ? "es" : "s";
  return config::concat(count, " ", unit, plural);
}

}  // namespace

void NameTable::add(const std::string& name, TimePoint now) {
  auto [entry, is_new] = entries_.try_emplace(name);
  FAIRLEAD_CHECK(is_new);
  if (!under_way_.contains(name)) make_due(name, entry->second, now);
}

void NameTable::remove(const std::string& name) {
  auto entry = entries_.find(name);
  FAIRLEAD_CHECK(entry != entries_.end());
  if (entry->second.due) due_.erase({*entry->second.due, name});
  entries_.erase(entry);
}

bool NameTable::has_addresses(const std::string& name) const {
  auto entry = entries_.find(name);
  return entry != entries_.end() && !entry->second.addresses.empty();
}

std::optional<std::string> NameTable::start_one(TimePoint now) {
  if (next() > now) return std::nullopt;
  std::string name = due_.begin()->second;
  due_.erase(due_.begin());
  entries_.at(name).due.reset();
  under_way_.insert(name);
  return name;
}

TimePoint NameTable::next() const {
  if (due_.empty() || under_way_.size() >= settings_.max_under_way) return runtime::kNever;
  return due_.begin()->first;
}

std::optional<Fact> NameTable::take(const std::string& name, const Part& answer, TimePoint now) {
  FAIRLEAD_CHECK(under_way_.erase(name) == 1);
  auto found = entries_.find(name);
  if (found == entries_.end()) return std::nullopt;
  Entry& entry = found->second;
  if (answer.failure) {
    make_due(name, entry, take_failure(entry, *answer.failure, now));
  } else {
    take_good(entry, answer, now);
    Duration interval = std::clamp(answer.ttl, settings_.min_interval, settings_.max_interval);
    make_due(name, entry, now + jittered(interval));
  }
  Fact fact = fact_of(name, entry, answer);
  if (fact == entry.told) return std::nullopt;
  entry.told = fact;
  return fact;
}

void NameTable::take_good(Entry& entry, const Part& answer, TimePoint now) {
  take_items(entry.addresses, answer.addresses, 2 * kAddressesMax, now);
  take_items(entry.services, answer.services, 2 * size_t{config::kDiscoveredMax}, now);
  entry.present = answer.addresses.size() + answer.services.size();
  entry.left_out = answer.left_out;
  entry.last_good = now;
  entry.failures = 0;
}

template <typename Item>
void NameTable::take_items(std::vector<Known<Item>>& known, const std::vector<Item>& items, size_t max,
                           TimePoint now) const {
  std::vector<Known<Item>> next;
  for (const Item& item : items) next.push_back({item, now});
  for (const Known<Item>& former : known) {
    if (next.size() >= max) break;
    if (now - former.seen >= settings_.hold_obsolete) continue;
    bool is_there = std::ranges::any_of(next, [&](const Known<Item>& one) { return is_same(one.item, former.item); });
    if (!is_there) next.push_back(former);
  }
  known = std::move(next);
}

TimePoint NameTable::take_failure(Entry& entry, Failure failure, TimePoint now) {
  TimePoint next = now + jittered(pause_after(++entry.failures));
  if (!entry.has_any()) return next;
  TimePoint end = entry.last_good + settings_.hold_of(failure);
  if (end > now) return std::min(next, end);
  entry.addresses.clear();
  entry.services.clear();
  entry.present = 0;
  return next;
}

Duration NameTable::pause_after(uint32_t failures) {
  Duration pause = settings_.min_interval;
  for (uint32_t i = 1; i < failures && pause < settings_.max_interval; ++i) pause *= 2;
  return std::min(pause, settings_.max_interval);
}

// In the upper tenth of it: names that came together do not stay together.
Duration NameTable::jittered(Duration interval) {
  return interval - Duration(static_cast<int64_t>(random_.below(static_cast<uint64_t>(interval.count()) / 10 + 1)));
}

void NameTable::make_due(const std::string& name, Entry& entry, TimePoint when) {
  entry.due = when;
  due_.emplace(when, name);
}

Fact NameTable::fact_of(const std::string& name, const Entry& entry, const Part& answer) const {
  Fact fact{.name = name, .addresses = {}, .services = {}, .present = entry.present, .reason = answer.problem};
  for (const auto& known : entry.addresses) fact.addresses.push_back(known.item);
  for (const auto& known : entry.services) fact.services.push_back(known.item);
  if (answer.failure) {
    if (entry.has_any()) fact.reason += "; the last answer is kept";
    return fact;
  }
  fact.reason = count_text(answer);
  if (entry.left_out > 0) fact.reason += config::concat(", ", entry.left_out, " more are not looked at");
  return fact;
}

}  // namespace fairlead::names
