// The servers of a backend that may be picked, and what they weigh.
//
// A server stands at its slot and stays there whatever comes and goes beside it; so the state depends on the present
// members only, and a cursor over slots visits each of them once a round. Who weighs what is kept apart from the
// records, in few bytes, so that a search among a million weights reads little memory: as a set of slots for each
// distinct weight, and as places, of which each server has as many as it weighs. Servers that leave their weight to the
// backend's default stand in a class of their own, so that a change of the default touches none of them.
//
// A change costs a logarithm of the number of servers, and a copy nothing; threads are those of a SlotMap.
#pragma once

#include <array>
#include <cstdint>

#include "base/ref.h"
#include "base/slot_map.h"
#include "base/slot_set.h"
#include "config/model.h"

namespace fairlead::config {

class EligibleServers {
 public:
  using OwnWeights = base::SlotMap<uint16_t, Slot, base::ByValue>;
  using Members = base::SlotMap<base::Ref<const Server>>;
  using ByAge = base::SlotMap<base::Ref<const Server>, Uid>;
  // Weights 1 to kWeightMax by number; kDefaultClass for servers without a weight of their own.
  static constexpr uint16_t kDefaultClass = 0;
  // By weight class; none of them is empty.
  using Classes = base::SlotMap<base::SlotSet, uint16_t>;
  // A server's places among all.
  struct Places {
    uint64_t begin = 0;
    // How many; 0 means nobody's.
    uint32_t weight = 0;
    Slot slot = 0;
  };

  // Adds, or replaces whoever stands at the slot; takes that one out where the server is not to be picked.
  void upsert(const base::Ref<const Server>& server);
  // Whoever stands at its slot by now stays.
  void erase(const Server& server);

  uint64_t size() const { return members_.size(); }
  const Members& members() const { return members_; }
  // Null for nobody.
  const base::Ref<const Server>* find(Slot slot) const { return members_.find(slot); }
  // One for each distinct weight in use.
  const Classes& classes() const { return classes_; }

  // What follows asks about weights; those without one weigh `default_weight`.

  // Who weighs something, and what all weigh together.
  uint64_t weighing(uint16_t default_weight) const { return default_weight > 0 ? size() : size() - defaults_; }
  uint64_t weight(uint16_t default_weight) const { return own_.sum() + uint64_t{defaults_} * default_weight; }
  // Whether all weigh the same, which is not nothing, and there are some.
  bool are_equal(uint16_t default_weight) const { return has_one_class_ && (defaults_ == 0 || default_weight > 0); }
  // 0 where nobody stands at the slot.
  uint32_t weight_at(Slot slot, uint16_t default_weight) const {
    if (const uint16_t* own = own_.find(slot)) return *own;
    return defaults_ > 0 && classes_.find(kDefaultClass)->contains(slot) ? default_weight : 0;
  }
  // What weight_at() and find() will read, soon.
  void prefetch(Slot slot) const {
    own_.prefetch(slot);
    members_.prefetch(slot);
  }
  // Of the server that has the place. Requires place < weight().
  Places places_at(uint64_t place, uint16_t default_weight) const;
  // The same in two steps, between which memory is fetched; the second one asks the same edition.
  struct PlacesAhead {
    OwnWeights::Search search{};
    uint64_t place = 0;
    // Where they are known at once.
    Places places{};
  };
  PlacesAhead fetch_places(uint64_t place, uint16_t default_weight) const;
  static Places places_at(const PlacesAhead& ahead);
  // What find() will read of whoever it may be, soon.
  void prefetch(const PlacesAhead& ahead) const {
    if (ahead.places.weight == 0) members_.prefetch_near(ahead.search.first);
  }
  // How many leave it to the default, and how many have a weight of their own from 2^level up to, but not including,
  // 2^(level + 1).
  uint32_t defaults() const { return defaults_; }
  static constexpr unsigned kLevels = 9;
  uint32_t at_level(unsigned level) const { return at_levels_[level]; }

  // Equal where there are as many servers of each weight; where not, different almost surely.
  uint64_t shape() const { return shape_; }
  // Equal only where nothing has changed: of copies of each other.
  uint64_t edition() const { return edition_; }

  // Whether by_age() is kept: for algorithms that go by it. Beginning to costs a pass over all.
  void keep_by_age(bool keep);
  // All of them by uid, which is by age; empty where it is not kept. Some may weigh nothing, by the backend's default.
  const ByAge& by_age() const { return by_age_; }

 private:
  void put(Slot slot, uint16_t weight_class);
  void take_out(Slot slot, uint16_t weight_class);

  Members members_;
  Classes classes_;
  // Of who has one.
  OwnWeights own_;
  bool has_one_class_ = false;
  uint32_t defaults_ = 0;
  std::array<uint32_t, kLevels> at_levels_{};
  uint64_t shape_ = 0;
  uint64_t edition_ = 0;
  ByAge by_age_;
  bool keeps_by_age_ = false;
};

}  // namespace fairlead::config
