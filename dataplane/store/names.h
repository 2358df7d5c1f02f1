// Which names are to be resolved: follows the members that have one with orders to the reading half, and remembers what
// is known of each name, for members that come later. Belongs to the store's thread.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/inlined_vector.h"
#include "config/route_table.h"
#include "store/reading_half.h"
#include "store/transaction.h"

namespace fairlead::store {

class Names {
 public:
  explicit Names(ReadingHalf& reading_half) : reading_half_(reading_half) {}

  // Of one server there is one; of a backend whose servers DNS names there may be several.
  using Hosts = absl::InlinedVector<std::string, 1>;

  // A member that was added or changed. `host`: of its address; empty where that is no name. Or, with its own uid, a
  // backend whose servers DNS names, with an SRV name as config::service_question() has it.
  // `origin`: who waits for it to be READY.
  void follow(config::BackendHandle backend, config::Uid server, std::string_view host,
              std::shared_ptr<const Origin> origin);
  // The same with several names, or none.
  void follow_all(config::BackendHandle backend, config::Uid server, Hosts hosts, std::shared_ptr<const Origin> origin);
  // It is no member any more.
  void forget(config::Uid server);
  void send();

  // False: nobody has that name any more.
  bool take(NameFact fact);
  // Nothing is left to wait for.
  bool are_all_known() const;
  // Null: nothing is known yet.
  const NameFact* known(std::string_view host) const;
  // Who waits for a server, once; null for nobody.
  std::shared_ptr<const Origin> take_waiting(config::Uid server);
  // The backends with members of that name.
  std::vector<config::BackendHandle> backends_with(std::string_view host) const;

 private:
  struct Name {
    // Set where anything is known.
    std::optional<NameFact> fact;
    // How many members there are of each backend, by its uid.
    std::map<config::Uid, std::pair<config::BackendHandle, size_t>> backends;
  };
  struct Member {
    Hosts hosts;
    config::Uid backend;
    std::shared_ptr<const Origin> waiting;
  };

  ReadingHalf& reading_half_;
  absl::flat_hash_map<std::string, Name> names_;
  absl::flat_hash_map<config::Uid, Member> members_;
  // Not ordered yet: new ones, and those that may have lost their last member.
  std::vector<std::string> begun_;
  std::vector<std::string> ended_;
};

}  // namespace fairlead::store
