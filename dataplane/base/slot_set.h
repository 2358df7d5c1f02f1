// A persistent set of slots: 64 of them in a word, the words in a SlotMap, whose costs and threads it has.
//
// Among a million slots a set of some thousands takes some tens of bytes for each, and one of all of them a bit.
#pragma once

#include <bit>
#include <cstdint>

#include "base/slot_map.h"

namespace fairlead::base {

// How many slots there are in words.
struct ByBits {
  using Sum = uint32_t;
  static constexpr Sum of(uint64_t word) { return static_cast<Sum>(std::popcount(word)); }
};

class SlotSet {
 public:
  using Slot = uint32_t;

  uint32_t size() const { return words_.sum(); }
  bool empty() const { return words_.empty(); }

  bool contains(Slot slot) const {
    const uint64_t* word = words_.find(slot / kBits);
    return word && (*word & bit_of(slot)) != 0;
  }

  // Whether there is one at `slot` or after it, and if so the first one of them.
  bool next_from(Slot slot, Slot& found) const {
    if (next_in_word(slot, found)) return true;
    const uint64_t* word = words_.next_from(slot / kBits + 1, found);
    if (word) found = first_of(found, *word);
    return word;
  }
  // That one, or else the first of all. Requires that there is one.
  Slot next_around(Slot slot) const {
    Slot found = 0;
    if (!next_from(slot, found)) next_from(0, found);
    return found;
  }

  // The one with `rank` others before it. Requires rank < size().
  Slot nth(uint32_t rank) const {
    Slot place = 0;
    uint32_t within = 0;
    uint64_t left = words_.at_place(rank, place, within);
    for (; within > 0; --within) left &= left - 1;
    return place * kBits + static_cast<Slot>(std::countr_zero(left));
  }

  // Requires that there is one.
  Slot last() const {
    const Slot place = words_.last();
    return place * kBits + (kBits - 1) - static_cast<Slot>(std::countl_zero(*words_.find(place)));
  }

  // In their order.
  template <typename F>
  void for_each(F&& f) const {
    words_.for_each([&](Slot place, uint64_t word) {
      for (; word != 0; word &= word - 1) f(place * kBits + static_cast<Slot>(std::countr_zero(word)));
    });
  }

  // False where it is there already.
  bool insert(Slot slot) {
    const uint64_t* word = words_.find(slot / kBits);
    const uint64_t before = word ? *word : 0;
    if ((before & bit_of(slot)) != 0) return false;
    words_.set(slot / kBits, before | bit_of(slot));
    return true;
  }

  // False where it is not there.
  bool erase(Slot slot) {
    const uint64_t* word = words_.find(slot / kBits);
    if (!word || (*word & bit_of(slot)) == 0) return false;
    const uint64_t after = *word & ~bit_of(slot);
    if (after == 0) {
      words_.erase(slot / kBits);
    } else {
      words_.set(slot / kBits, after);
    }
    return true;
  }

 private:
  static constexpr Slot kBits = 64;
  static uint64_t bit_of(Slot slot) { return uint64_t{1} << slot % kBits; }
  static Slot first_of(Slot place, uint64_t word) { return place * kBits + static_cast<Slot>(std::countr_zero(word)); }

  bool next_in_word(Slot slot, Slot& found) const {
    const uint64_t* word = words_.find(slot / kBits);
    const uint64_t left = word ? *word & (~uint64_t{0} << slot % kBits) : 0;
    if (left != 0) found = first_of(slot / kBits, left);
    return left != 0;
  }

  SlotMap<uint64_t, Slot, ByBits> words_;
};

}  // namespace fairlead::base
