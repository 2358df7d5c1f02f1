#include "names/resolver.h"

#include <chrono>
#include <utility>

namespace fairlead::names {
namespace {

runtime::TimePoint now() { return std::chrono::steady_clock::now(); }

}  // namespace

Resolver::Resolver(const Settings& settings, uint64_t seed, TakeFacts take_facts)
    : take_facts_(std::move(take_facts)), table_(settings, seed), lookups_(settings) {}

void Resolver::post(std::vector<std::string> names, bool watch) {
  {
    std::lock_guard lock(mutex_);
    for (std::string& name : names) orders_.push_back({std::move(name), watch});
  }
  lookups_.wake();
}

void Resolver::watch(std::vector<std::string> names) { post(std::move(names), true); }

void Resolver::forget(std::vector<std::string> names) { post(std::move(names), false); }

void Resolver::stop() {
  {
    std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  lookups_.wake();
}

bool Resolver::take_orders() {
  std::vector<Order> orders;
  {
    std::lock_guard lock(mutex_);
    if (stopped_) return false;
    orders = std::exchange(orders_, {});
  }
  for (const Order& order : orders) {
    if (order.watch) {
      table_.add(order.name, now());
    } else {
      table_.remove(order.name);
    }
  }
  watched_ = table_.size();
  return true;
}

void Resolver::start_due() {
  while (std::optional<std::string> name = table_.start_one(now())) {
    ++lookups_made_;
    lookups_.start(*name, table_.has_addresses(*name), [this, name = *name](Part part) {
      if (part.failure) ++failures_;
      if (std::optional<Fact> fact = table_.take(name, part, now())) facts_.push_back(*std::move(fact));
    });
  }
}

void Resolver::run() {
  while (take_orders()) {
    start_due();
    if (!facts_.empty()) take_facts_(std::exchange(facts_, {}));
    lookups_.turn(table_.next());
    if (!facts_.empty()) take_facts_(std::exchange(facts_, {}));
  }
}

}  // namespace fairlead::names
