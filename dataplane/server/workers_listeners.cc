// The sockets of listeners: from being bound to being handed to the workers, and their end.
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "net/socket.h"
#include "server/workers.h"
#include "spdlog/spdlog.h"

namespace fairlead::server {

// The store has seen to it that no two listeners want the same: one that has the address gives it up with the
// transaction that asks for it now.
bool Workers::is_held(config::Uid listener, const config::Endpoint& address) const {
  bool held = false;
  bool has_it_already = false;
  for (const auto& [uid, bound] : bound_) {
    auto look = [&, own = uid == listener](const config::Endpoint& place) {
      held |= config::overlap(place, address);
      has_it_already |= own && place == address;
    };
    for (const Bound& waiting : bound.waiting) look(waiting.endpoint);
    for (const Open& open : bound.open) look(open.endpoint);
  }
  return held && !has_it_already;
}

absl::StatusOr<Workers::Bound> Workers::open_sockets(config::Uid listener, const config::Endpoint& address) {
  if (is_held(listener, address)) return open_beside_ours(address);
  absl::StatusOr<int> first = net::listen_on(address, is_closing(address));
  if (!first.ok()) return first.status();
  Bound bound{.endpoint = net::bound_address(*first), .fds = {*first}, .file = net::SocketFile(address)};
  while (bound.fds.size() < workers_.size()) {
    absl::StatusOr<int> next = net::listen_beside(*first);
    if (!next.ok()) {
      close_sockets(bound);
      return next.status();
    }
    bound.fds.push_back(*next);
  }
  return bound;
}

absl::StatusOr<Workers::Bound> Workers::open_beside_ours(const config::Endpoint& address) {
  if (address.is_unix()) {
    return absl::FailedPreconditionError(absl::StrCat(
        address.to_string(), " is open for the listener that has it until now, and a path has one socket; ",
        "give it up in a transaction of its own first"));
  }
  Bound bound{.endpoint = address, .fds = {}, .is_listening = false};
  while (bound.fds.size() < workers_.size()) {
    absl::StatusOr<int> next = net::bind_beside_ours(address);
    if (!next.ok()) {
      close_sockets(bound);
      return next.status();
    }
    bound.fds.push_back(*next);
  }
  return bound;
}

// It cannot fail for a stranger: those that gave the address up have kept it until now.
void Workers::start_listening(Bound& bound) {
  if (std::exchange(bound.is_listening, true)) return;
  for (int fd : bound.fds) {
    absl::Status status = net::start_listening(fd);
    if (!status.ok()) spdlog::error("a worker does not listen: {}", std::string(status.message()));
  }
}

// The file goes first: as long as the socket is open, no other file can be taken for it.
void Workers::close_sockets(Bound& bound) {
  bound.file.remove();
  for (int fd : bound.fds) ::close(fd);
  bound.fds.clear();
}

absl::StatusOr<std::vector<config::Endpoint>> Workers::bind(config::Uid listener,
                                                            const std::vector<config::Endpoint>& addresses) {
  std::vector<Bound> opened;
  for (const config::Endpoint& address : addresses) {
    absl::StatusOr<Bound> bound = open_sockets(listener, address);
    if (!bound.ok()) {
      std::ranges::for_each(opened, close_sockets);
      return bound.status();
    }
    opened.push_back(*std::move(bound));
  }
  std::vector<config::Endpoint> result;
  for (Bound& bound : opened) result.push_back(bound.endpoint);
  auto& waiting = bound_[listener].waiting;
  std::ranges::move(opened, std::back_inserter(waiting));
  return result;
}

void Workers::unbind(config::Uid listener) {
  auto found = bound_.find(listener);
  if (found == bound_.end()) return;
  std::ranges::for_each(found->second.waiting, close_sockets);
  bound_.erase(found);
}

void Workers::close_addresses(config::Uid listener, const std::vector<config::Endpoint>& endpoints) {
  auto found = bound_.find(listener);
  if (found == bound_.end()) return;
  for (const config::Endpoint& endpoint : endpoints) {
    std::erase_if(found->second.waiting, [&](Bound& bound) {
      if (!(bound.endpoint == endpoint)) return false;
      close_sockets(bound);
      return true;
    });
    auto is_it = [&](const Open& open) { return open.endpoint == endpoint; };
    if (std::erase_if(found->second.open, is_it) > 0) remember_closing(endpoint);
    for (auto& worker : workers_) {
      worker->post([listener, endpoint](Worker& self) { self.listeners().close_address(listener, endpoint); });
    }
  }
}

void Workers::accept(config::Slot slot, config::Uid listener) {
  BoundListener& bound = bound_[listener];
  base::Ref<const config::Listener> record(current_->find_listener(slot, listener));
  FAIRLEAD_CHECK(record);
  std::ranges::for_each(bound.waiting, start_listening);
  for (size_t i = 0; i < workers_.size(); ++i) {
    std::vector<listener::BoundSocket> sockets;
    for (const Bound& address : bound.waiting) sockets.push_back({.endpoint = address.endpoint, .fd = address.fds[i]});
    workers_[i]->post([record, sockets = std::move(sockets), connections = bound.connections](Worker& self) {
      self.listeners().accept(record, sockets, connections);
    });
  }
  for (Bound& address : bound.waiting) bound.open.push_back({address.endpoint, std::move(address.file)});
  bound.waiting.clear();
}

void Workers::remember_closing(const config::Endpoint& endpoint) {
  auto now = std::chrono::steady_clock::now();
  std::erase_if(closing_, [&](auto& entry) { return entry.second < now; });
  closing_[endpoint] = now + kClosingTime;
}

bool Workers::is_closing(const config::Endpoint& endpoint) {
  auto now = std::chrono::steady_clock::now();
  return std::ranges::any_of(closing_,
                             [&](auto& entry) { return now < entry.second && config::overlap(entry.first, endpoint); });
}

void Workers::stop_accepting(config::Uid listener) {
  for (const Open& open : bound_[listener].open) remember_closing(open.endpoint);
  unbind(listener);
  for (auto& worker : workers_) worker->post([listener](Worker& self) { self.listeners().finish(listener); });
}

}  // namespace fairlead::server
