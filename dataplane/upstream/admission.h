// How an exchange gets onto a server: the one way there is.
//
// An Admission is a server with a place on it, taken before anything is sent. The place counts over all workers where
// the backend has limits or balances by global counts (config::BackendSnapshot::counts_in_flight, counts_total), and
// costs nothing elsewhere. Who finds all servers full may wait for a place (waiting.h).
#pragma once

#include <cstdint>
#include <utility>

#include "upstream/shared.h"

namespace fairlead::upstream {

class Server;

// Counts as in flight while it lives. Whoever has one keeps the server's SharedLoad longer.
class Place {
 public:
  // Counted nowhere.
  Place() = default;
  // Counted already.
  explicit Place(SharedLoad& entered) : load_(&entered) {}
  Place(Place&& other) noexcept
      : load_(std::exchange(other.load_, nullptr)), total_(std::exchange(other.total_, nullptr)) {}
  Place& operator=(Place&& other) noexcept {
    std::swap(load_, other.load_);
    std::swap(total_, other.total_);
    return *this;
  }
  ~Place() { leave(); }

  bool is_counted() const { return load_ != nullptr; }
  // Counts in the backend's total as well, once.
  void enter(SharedTotal& total) {
    if (total_) return;
    total_ = &total;
    total.enter();
  }
  void leave() {
    if (load_) std::exchange(load_, nullptr)->leave();
    if (total_) std::exchange(total_, nullptr)->leave();
  }

 private:
  friend class Server;

  SharedLoad* load_ = nullptr;
  SharedTotal* total_ = nullptr;
};

class Admission {
 public:
  enum class Refusal : uint8_t {
    // No server of the backend takes requests.
    kNoServer,
    // Some do, and all of them are full, or others wait for a place already.
    kFull,
  };

  explicit Admission(Refusal refusal) : refusal_(refusal) {}
  Admission(Server& server, Place place) : server_(&server), place_(std::move(place)) {}

  explicit operator bool() const { return server_ != nullptr; }
  // Of one that was not granted.
  Refusal refusal() const { return refusal_; }
  Server& server() const { return *server_; }
  // Once.
  Place take_place() { return std::move(place_); }

 private:
  Server* server_ = nullptr;
  Place place_;
  Refusal refusal_ = Refusal::kNoServer;
};

}  // namespace fairlead::upstream
