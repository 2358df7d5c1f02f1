// Which servers are to be checked: follows the model with orders to the reading half. Orders are gathered and sent
// together, because there may be a hundred thousand. Belongs to the store's thread.
#pragma once

#include <memory>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "store/model.h"
#include "store/reading_half.h"
#include "store/transaction.h"

namespace fairlead::store {

class Checks {
 public:
  explicit Checks(ReadingHalf& reading_half) : reading_half_(reading_half) {}

  // Orders what the member's health record wants, as soon as it has an address. `origin`: who has changed it last.
  void follow(const BackendState& backend, const config::Server& server, const std::shared_ptr<const Origin>& origin);
  // All members, where they may have begun or ended to be checked; else only how they are.
  void follow(const BackendState& backend, bool members);
  // It is no member any more.
  void forget(config::Uid server);
  void send();

  // Who waits for the first success of a server, once; null for nobody.
  std::shared_ptr<const Origin> take_waiting(config::Uid server);

 private:
  // Whoever waits for it goes on waiting.
  void stop(config::Uid server);

  ReadingHalf& reading_half_;
  absl::flat_hash_set<config::Uid> checked_;
  absl::flat_hash_map<config::Uid, std::shared_ptr<const Origin>> waiting_;
  std::vector<CheckOrder> orders_;
  std::vector<config::Uid> stops_;
};

}  // namespace fairlead::store
