// The sockets of listeners: from being bound to being handed to the workers, and their end.
#include <unistd.h>

#include <algorithm>
#include <latch>
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

// All of them are kept, and connections that wait there with them. Where there are fewer than workers, others are
// opened beside them; where that is not allowed (they belong to another user), workers share one.
std::optional<Workers::Bound> Workers::take_inherited(config::Uid listener, const config::Endpoint& address) {
  if (!inheritance_) return std::nullopt;
  std::vector<base::Descriptor> sockets = inheritance_->take(takeover::Use::kListener, listener, address.to_string());
  if (sockets.empty()) return std::nullopt;
  config::Endpoint endpoint = net::bound_address(sockets.front().get());
  Bound bound{.endpoint = endpoint, .fds = {}, .file = inheritance_->file_of(endpoint)};
  for (base::Descriptor& socket : sockets) bound.fds.push_back(socket.release());
  for (size_t i = 0; bound.fds.size() < workers_.size(); ++i) {
    absl::StatusOr<int> next = net::listen_beside(bound.fds.front());
    if (!next.ok()) next = net::share(bound.fds[i]);
    if (!next.ok()) {
      spdlog::error("a worker does not listen: {}", std::string(next.status().message()));
      break;
    }
    bound.fds.push_back(*next);
  }
  return bound;
}

absl::StatusOr<Workers::Bound> Workers::open_sockets(config::Uid listener, const config::Endpoint& address) {
  if (std::optional<Bound> inherited = take_inherited(listener, address)) return *std::move(inherited);
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

void Workers::reserve(config::Endpoint address, std::string setting) {
  reserved_.push_back({std::move(address), std::move(setting)});
}

absl::StatusOr<std::vector<config::Endpoint>> Workers::bind(config::Uid listener,
                                                            const std::vector<config::Endpoint>& addresses) {
  for (const config::Endpoint& address : addresses) {
    for (const auto& [place, setting] : reserved_) {
      if (config::overlap(place, address)) return store::own_address(address, setting);
    }
  }
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
  Accepting accepting{base::Ref<const config::Listener>(current_->find_listener(slot, listener)), bound.shared,
                      std::exchange(bound.waiting, {})};
  FAIRLEAD_CHECK(accepting.record);
  for (Bound& address : accepting.addresses) bound.open.push_back({address.endpoint, std::move(address.file)});
  if (!settling_.is_on()) return hand_out(std::move(accepting));
  std::lock_guard lock(mutex_);
  held_.push_back(std::move(accepting));
}

void Workers::hand_out(Accepting accepting) {
  std::ranges::for_each(accepting.addresses, start_listening);
  for (size_t i = 0; i < workers_.size(); ++i) {
    std::vector<listener::BoundSocket> sockets;
    for (const Bound& address : accepting.addresses) {
      for (size_t n = i; n < address.fds.size(); n += workers_.size()) {
        sockets.push_back({.endpoint = address.endpoint, .fd = address.fds[n]});
      }
    }
    workers_[i]->post([record = accepting.record, sockets = std::move(sockets),
                       shared = accepting.shared](Worker& self) { self.listeners().accept(record, sockets, shared); });
  }
}

void Workers::begin_accepting() {
  settling_.end();
  std::vector<Accepting> held;
  {
    std::lock_guard lock(mutex_);
    held = std::exchange(held_, {});
  }
  for (Accepting& accepting : held) hand_out(std::move(accepting));
}

std::vector<takeover::Offer> Workers::copy_sockets() {
  std::vector<takeover::Offer> offers;
  for (auto& worker : workers_) {
    std::latch copied(1);
    worker->post([&](Worker& self) {
      self.listeners().copy_sockets([&](config::Uid uid, listener::OpenListener::SocketCopy copy) {
        std::string bound = copy.bound.to_string();
        auto is_it = [&](const takeover::Offer& offer) { return offer.uid == uid && offer.bound == bound; };
        auto found = std::ranges::find_if(offers, is_it);
        if (found == offers.end()) {
          offers.push_back({takeover::Use::kListener, uid, std::move(copy.wanted), std::move(bound), {}});
          found = offers.end() - 1;
        }
        // Workers share the one socket of a path.
        if (found->sockets.empty() || !copy.bound.is_unix()) found->sockets.push_back(std::move(copy.socket));
      });
      copied.count_down();
    });
    copied.wait();
  }
  return offers;
}

void Workers::leave(const std::vector<std::string>& bound) {
  std::vector<config::Endpoint> addresses;
  for (const std::string& text : bound) addresses.push_back(config::Endpoint::parse(text).value());
  for (auto& worker : workers_) {
    worker->post([addresses](Worker& self) {
      for (const config::Endpoint& address : addresses) self.listeners().leave_address(address);
    });
  }
  std::lock_guard lock(mutex_);
  left_ = std::move(addresses);
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
  for (auto& worker : workers_)
    worker->post([listener](Worker& self) { self.listeners().finish(listener, kIdleGrace); });
}

}  // namespace fairlead::server
