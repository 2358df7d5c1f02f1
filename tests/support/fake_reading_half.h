// A reading half without workers, which does what a test says: addresses that are taken, workers that are slow to
// follow, drains that end when the test says so. Any thread.
#pragma once

#include <algorithm>
#include <initializer_list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "store/reading_half.h"

namespace fairlead::test_support {

class FakeReadingHalf : public store::ReadingHalf {
 public:
  // --- what a test says ---
  void take_address(const std::string& address) {
    std::lock_guard lock(mutex_);
    taken_.insert(address);
  }
  // Publications are visible when release_visible() is called; else at once.
  void hold_visible() {
    std::lock_guard lock(mutex_);
    hold_visible_ = true;
  }
  void release_visible() {
    std::vector<std::function<void()>> held;
    {
      std::lock_guard lock(mutex_);
      hold_visible_ = false;
      held = std::exchange(held_visible_, {});
    }
    for (auto& visible : held) visible();
  }
  // Drains end when finish_drains() is called; else at once.
  void hold_drains() {
    std::lock_guard lock(mutex_);
    hold_drains_ = true;
  }
  void finish_drains(uint64_t cut_off = 0) {
    for (auto& [order, drained] : take_drains()) drained({.server = order.server, .cut_off = cut_off});
  }
  // Each with its own count, in the order in which they were ordered.
  void finish_drains(std::initializer_list<uint64_t> cut_off) {
    auto count = cut_off.begin();
    for (auto& [order, drained] : take_drains()) drained({.server = order.server, .cut_off = *count++});
  }
  // The drain that was ordered as the `position`-th of all that were; it was held.
  void finish_drain(size_t position, uint64_t cut_off) {
    std::function<void(store::Drained)> drained;
    config::Uid server = 0;
    {
      std::lock_guard lock(mutex_);
      server = orders_.at(position).server;
      auto held = std::ranges::find(held_drains_, server, [](auto& entry) { return entry.first.server; });
      drained = std::move(held->second);
      held_drains_.erase(held);
    }
    drained({.server = server, .cut_off = cut_off});
  }

  // What checks have found; each is an answer to the server's last order.
  void find(config::Uid server, bool is_up, const std::string& reason) { find(order_of(server), is_up, reason); }
  void find(const store::CheckOrder& order, bool is_up, const std::string& reason) {
    find({result_of(order, is_up, reason)});
  }
  // What its agent says.
  void say(config::Uid server, const config::AgentState& state) {
    store::CheckResult result = result_of(order_of(server), false, "");
    result.agent = state;
    find({std::move(result)});
  }
  void find(std::vector<store::CheckResult> results) {
    std::function<void(std::vector<store::CheckResult>)> take;
    {
      std::lock_guard lock(mutex_);
      take = take_results_;
    }
    take(std::move(results));
  }
  static store::CheckResult result_of(const store::CheckOrder& order, bool is_up, const std::string& reason) {
    return {.backend = {order.backend->slot, order.backend->metadata.uid},
            .slot = order.server->slot,
            .server = order.server->metadata.uid,
            .check = order.check,
            .is_up = is_up,
            .reason = reason};
  }

  // A server is ejected, or returns.
  void eject(const store::CheckResult& of, const config::EjectionChange& change, const std::string& reason) {
    store::CheckResult result = of;
    result.ejection = change;
    result.reason = reason;
    find({std::move(result)});
  }

  // What is known of a name: IP addresses as "10.0.0.1", all of them present unless `present` says less.
  void answer(const std::string& name, const std::vector<std::string>& addresses, const std::string& reason = "told",
              std::optional<size_t> present = std::nullopt) {
    store::NameFact fact{
        .name = name, .addresses = {}, .services = {}, .present = present.value_or(addresses.size()), .reason = reason};
    for (const std::string& address : addresses) {
      fact.addresses.push_back(config::Endpoint::parse(absl::StrCat(address, ":0")).value());
    }
    tell(std::move(fact));
  }
  // Of an SRV name, as "_http._tcp.app".
  void list(const std::string& srv, const std::vector<config::Service>& services, const std::string& reason = "told") {
    tell({.name = config::service_question(srv),
          .addresses = {},
          .services = services,
          .present = services.size(),
          .reason = reason});
  }
  void tell(store::NameFact fact) {
    std::function<void(std::vector<store::NameFact>)> take;
    {
      std::lock_guard lock(mutex_);
      take = take_name_facts_;
    }
    take({std::move(fact)});
  }

  // --- what a test asks ---
  // Of a backend that is observed: how many servers were said to take requests; nothing where it is not observed.
  std::optional<uint64_t> observed(config::Uid backend) const {
    std::lock_guard lock(mutex_);
    auto known = observed_.find(backend);
    return known == observed_.end() ? std::nullopt : std::optional(known->second);
  }
  std::vector<config::Uid> forgotten() const {
    std::lock_guard lock(mutex_);
    return forgotten_;
  }
  std::set<std::string> names() const {
    std::lock_guard lock(mutex_);
    return names_;
  }
  // Of a server that is being checked.
  store::CheckOrder order_of(config::Uid server) const {
    std::lock_guard lock(mutex_);
    return checked_.at(server);
  }
  std::set<config::Uid> checked() const {
    std::lock_guard lock(mutex_);
    std::set<config::Uid> result;
    for (const auto& [uid, order] : checked_) result.insert(uid);
    return result;
  }
  int check_changes() const {
    std::lock_guard lock(mutex_);
    return check_changes_;
  }
  base::Ref<const config::Snapshot> snapshot() const {
    std::lock_guard lock(mutex_);
    return snapshot_;
  }
  // "uid address", of all that is open.
  std::vector<std::string> open_addresses() const {
    std::lock_guard lock(mutex_);
    std::vector<std::string> result;
    for (const auto& [uid, addresses] : open_) {
      for (const config::Endpoint& address : addresses) result.push_back(address.to_string());
    }
    return result;
  }
  std::set<config::Uid> accepting() const {
    std::lock_guard lock(mutex_);
    return accepting_;
  }
  std::vector<store::DrainOrder> orders() const {
    std::lock_guard lock(mutex_);
    return orders_;
  }
  std::vector<config::Uid> cancelled() const {
    std::lock_guard lock(mutex_);
    return cancelled_;
  }
  // Those whose connections were closed.
  std::vector<config::Uid> closed() const {
    std::lock_guard lock(mutex_);
    return closed_;
  }
  // Backends.
  std::vector<config::Uid> followed_pools() const {
    std::lock_guard lock(mutex_);
    return followed_pools_;
  }
  std::vector<config::Uid> closed_idle() const {
    std::lock_guard lock(mutex_);
    return closed_idle_;
  }
  // Those to which connections were to be opened since this was last asked, with how many.
  std::vector<std::pair<config::Uid, uint32_t>> take_warmed() {
    std::lock_guard lock(mutex_);
    return std::exchange(warmed_, {});
  }
  int publications() const {
    std::lock_guard lock(mutex_);
    return publications_;
  }

  // --- ReadingHalf ---
  absl::StatusOr<std::vector<config::Endpoint>> bind(config::Uid listener,
                                                     const std::vector<config::Endpoint>& addresses) override {
    std::lock_guard lock(mutex_);
    std::vector<config::Endpoint> bound;
    for (const config::Endpoint& address : addresses) {
      if (taken_.contains(address.to_string())) {
        return absl::FailedPreconditionError(absl::StrCat(address.to_string(), ": Address already in use"));
      }
      bool any_port = !address.is_unix() && address.port() == 0;
      bound.push_back(any_port ? address.with_port(next_port_++) : address);
    }
    for (const config::Endpoint& endpoint : bound) open_[listener].push_back(endpoint);
    return bound;
  }
  void unbind(config::Uid listener) override {
    std::lock_guard lock(mutex_);
    FAIRLEAD_CHECK(!accepting_.contains(listener));
    open_.erase(listener);
  }
  void close_addresses(config::Uid listener, const std::vector<config::Endpoint>& bound) override {
    std::lock_guard lock(mutex_);
    for (const config::Endpoint& endpoint : bound) FAIRLEAD_CHECK(std::erase(open_.at(listener), endpoint) == 1);
  }
  void accept(config::Slot slot, config::Uid listener) override {
    std::lock_guard lock(mutex_);
    FAIRLEAD_CHECK(snapshot_->find_listener(slot, listener) != nullptr);
    accepting_.insert(listener);
  }
  void stop_accepting(config::Uid listener) override {
    std::lock_guard lock(mutex_);
    FAIRLEAD_CHECK(accepting_.erase(listener) == 1);
    open_.erase(listener);
  }
  void publish(base::Ref<const config::Snapshot> snapshot, std::function<void()> visible) override {
    {
      std::lock_guard lock(mutex_);
      ++publications_;
      snapshot_ = std::move(snapshot);
      if (hold_visible_) {
        held_visible_.push_back(std::move(visible));
        return;
      }
    }
    visible();
  }
  void drain(const store::DrainOrder& order, std::function<void(store::Drained)> drained) override {
    {
      std::lock_guard lock(mutex_);
      FAIRLEAD_CHECK(!is_eligible(order));
      orders_.push_back(order);
      if (hold_drains_) {
        held_drains_.emplace_back(order, std::move(drained));
        return;
      }
    }
    drained({.server = order.server});
  }
  void cancel_drain(config::BackendHandle, config::Slot, config::Uid server) override {
    std::lock_guard lock(mutex_);
    cancelled_.push_back(server);
  }
  void close_connections(config::BackendHandle, config::Slot, config::Uid server) override {
    std::lock_guard lock(mutex_);
    closed_.push_back(server);
  }
  void follow_pool(config::BackendHandle backend) override {
    std::lock_guard lock(mutex_);
    followed_pools_.push_back(backend.uid);
  }
  void close_idle_connections(config::BackendHandle, config::Slot, config::Uid server) override {
    std::lock_guard lock(mutex_);
    closed_idle_.push_back(server);
  }
  void warm(std::vector<store::WarmOrder> orders) override {
    std::lock_guard lock(mutex_);
    for (const store::WarmOrder& order : orders) {
      FAIRLEAD_CHECK(order.connections > 0 && snapshot_->find(order.backend));
      warmed_.emplace_back(order.server, order.connections);
    }
  }
  void on_check_results(std::function<void(std::vector<store::CheckResult>)> take) override {
    std::lock_guard lock(mutex_);
    take_results_ = std::move(take);
  }
  void check(std::vector<store::CheckOrder> orders) override {
    std::lock_guard lock(mutex_);
    for (store::CheckOrder& order : orders) {
      FAIRLEAD_CHECK(order.backend->checks(*order.server) && order.check > 0);
      config::Uid uid = order.server->metadata.uid;
      checked_[uid] = std::move(order);
    }
  }
  void change_checks(base::Ref<const config::Backend> backend) override {
    std::lock_guard lock(mutex_);
    ++check_changes_;
    for (auto& [uid, order] : checked_) {
      if (order.backend->metadata.uid == backend->metadata.uid) order.backend = backend;
    }
  }
  void stop_checks(std::vector<config::Uid> servers) override {
    std::lock_guard lock(mutex_);
    for (config::Uid uid : servers) FAIRLEAD_CHECK(checked_.erase(uid) == 1);
  }
  void observe(base::Ref<const config::Backend> backend, uint64_t servers) override {
    std::lock_guard lock(mutex_);
    FAIRLEAD_CHECK(backend->outlier_detection.has_value());
    observed_[backend->metadata.uid] = servers;
  }
  void stop_observing(config::Uid backend) override {
    std::lock_guard lock(mutex_);
    FAIRLEAD_CHECK(observed_.erase(backend) == 1);
  }
  void forget_ejections(config::Uid backend, config::Uid server) override {
    std::lock_guard lock(mutex_);
    FAIRLEAD_CHECK(observed_.contains(backend));
    forgotten_.push_back(server);
  }
  void on_name_facts(std::function<void(std::vector<store::NameFact>)> take) override {
    std::lock_guard lock(mutex_);
    take_name_facts_ = std::move(take);
  }
  void resolve(std::vector<std::string> names) override {
    std::lock_guard lock(mutex_);
    for (const std::string& name : names) FAIRLEAD_CHECK(names_.insert(name).second);
  }
  void stop_resolving(std::vector<std::string> names) override {
    std::lock_guard lock(mutex_);
    for (const std::string& name : names) FAIRLEAD_CHECK(names_.erase(name) == 1);
  }

 private:
  using HeldDrains = std::vector<std::pair<store::DrainOrder, std::function<void(store::Drained)>>>;
  HeldDrains take_drains() {
    std::lock_guard lock(mutex_);
    return std::exchange(held_drains_, {});
  }
  // With the lock held.
  bool is_eligible(const store::DrainOrder& order) const {
    const config::BackendSnapshot* backend = snapshot_->find(order.backend);
    if (!backend) return false;
    const base::Ref<const config::Server>* server = backend->eligible.find(order.slot);
    return server && (*server)->metadata.uid == order.server;
  }

  mutable std::mutex mutex_;
  std::set<std::string> taken_;
  uint16_t next_port_ = 40000;
  std::map<config::Uid, std::vector<config::Endpoint>> open_;
  std::set<config::Uid> accepting_;
  base::Ref<const config::Snapshot> snapshot_;
  int publications_ = 0;
  bool hold_visible_ = false;
  std::vector<std::function<void()>> held_visible_;
  bool hold_drains_ = false;
  HeldDrains held_drains_;
  std::vector<store::DrainOrder> orders_;
  std::vector<config::Uid> cancelled_;
  std::vector<config::Uid> closed_;
  std::vector<config::Uid> closed_idle_;
  std::vector<config::Uid> followed_pools_;
  std::vector<std::pair<config::Uid, uint32_t>> warmed_;
  std::function<void(std::vector<store::CheckResult>)> take_results_;
  std::map<config::Uid, store::CheckOrder> checked_;
  int check_changes_ = 0;
  std::map<config::Uid, uint64_t> observed_;
  std::vector<config::Uid> forgotten_;
  std::function<void(std::vector<store::NameFact>)> take_name_facts_;
  std::set<std::string> names_;
};

}  // namespace fairlead::test_support
