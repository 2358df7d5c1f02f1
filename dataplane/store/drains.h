// Which servers drain, and what is to be told when they have: follows deletions and admin states with orders to the
// reading half. Orders are numbered, so that an answer to one that does not count is known. Belongs to the store's
// thread.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "store/inbox.h"
#include "store/model.h"
#include "store/reading_half.h"

namespace fairlead::store {

class Drains {
 public:
  // A drain that has ended; called on the store's thread, by way of the inbox.
  struct Ended {
    config::Uid uid;
    uint64_t cut_off;
    // Deleted, so that it is gone now; else a member in admin state DRAIN or MAINTENANCE.
    bool departed;
    std::string backend;
    std::string name;
    v1::Lifecycle lifecycle;
    std::shared_ptr<const Origin> origin;
  };
  using OnEnded = std::function<void(const Ended&)>;

  Drains(ReadingHalf& reading_half, std::shared_ptr<Inbox> inbox, OnEnded on_ended)
      : reading_half_(reading_half), inbox_(std::move(inbox)), on_ended_(std::move(on_ended)) {}

  void depart(const DepartingServer& server);
  // Orders or cancels what the server's admin state wants. Returns the step that it enters, for an event.
  v1::Lifecycle follow_admin_state(const BackendState& backend, const config::Server& server,
                                   std::shared_ptr<const Origin> origin);

  bool is_drained(config::Uid uid) const;
  std::vector<config::Uid> drained() const;
  // Of all that are not READY.
  absl::flat_hash_map<config::Uid, v1::Lifecycle> lifecycles() const;
  // Members of the backend that are in admin state DRAIN and not drained. Costs a look, however many drain elsewhere.
  uint64_t draining_members(config::Uid backend) const;

 private:
  struct Order {
    uint64_t number;
    config::BackendHandle backend;
    std::string backend_name;
    std::string name;
    // None: it was deleted.
    std::optional<config::AdminState> admin_state;
    bool done = false;
    std::shared_ptr<const Origin> origin;

    v1::Lifecycle lifecycle() const;
    // Counts in draining_members().
    bool is_draining_member() const { return admin_state == config::AdminState::kDrain && !done; }
  };

  void order(const DrainOrder& drain, Order order);
  void put(config::Uid server, Order order);
  void erase(config::Uid server);
  void on_drained(uint64_t number, const Drained& drained);

  ReadingHalf& reading_half_;
  std::shared_ptr<Inbox> inbox_;
  OnEnded on_ended_;
  uint64_t last_number_ = 0;
  // Changed by put() and erase() only, which keep the count beside it.
  absl::flat_hash_map<config::Uid, Order> orders_;
  // By backend; none where there are none.
  absl::flat_hash_map<config::Uid, uint64_t> draining_members_;
};

}  // namespace fairlead::store
