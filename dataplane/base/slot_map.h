// A persistent map from slots (small numbers, the lowest free one first) to T.
//
// A radix tree of nodes with 32 places. Copies share all nodes and cost O(1); a change copies the nodes on its way that
// somebody else refers to, and changes in place those that nobody else does, so that building a large map allocates
// each node once. Looking up reads one pointer for each 5 bits of the greatest slot: four for a million. What the tree
// looks like depends on its content alone, not on how it came about.
//
// Threads: different copies may be used by different threads at the same time, whatever nodes they share. One copy may
// be read by several threads as long as nobody changes that copy. Pointers to values hold until this copy changes or
// ends.
//
// T is default constructible and copyable; free places hold a T(). No null reference (ref.h) is set: that a place is
// free is then seen in the place itself, without the cache line that counts them. Key is an unsigned type: numbers that
// are not dense work as well, and cost more nodes. Measure says what each value adds to a sum that the nodes keep: with
// it the value is found that has a place among all, each having as many as it measures.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <concepts>
#include <cstdint>
#include <new>
#include <utility>

#include "base/check.h"
#include "base/ref.h"
#include "base/slab.h"

namespace fairlead::base {

template <typename T>
inline constexpr bool kIsRef = false;
template <typename T>
inline constexpr bool kIsRef<Ref<T>> = true;

// How many there are.
struct EachOnce {
  using Sum = uint32_t;
  static constexpr Sum of(const auto&) { return 1; }
};

// What numbers add up to. None of them is 0.
struct ByValue {
  using Sum = uint64_t;
  static constexpr Sum of(Sum value) { return value; }
};

template <typename T, typename Key = uint32_t, typename Measure = EachOnce>
class SlotMap {
 public:
  using Slot = Key;
  using Sum = Measure::Sum;

  // Of all values.
  Sum sum() const { return root_ ? root_->sum : 0; }
  uint32_t size() const
    requires std::same_as<Measure, EachOnce>
  {
    return sum();
  }
  bool empty() const { return !root_; }

  // Null where nothing stands at the slot.
  const T* find(Slot slot) const {
    if (!root_ || beyond_root(slot)) return nullptr;
    const Node* node = root_.get();
    for (unsigned shift = shift_; shift > 0; shift -= kBits) {
      node = static_cast<const Branch*>(node)->children[index_at(slot, shift)].get();
      if (!node) return nullptr;
    }
    unsigned index = index_at(slot, 0);
    const T& value = static_cast<const Leaf*>(node)->values[index];
    if constexpr (kIsRef<T>) return value ? &value : nullptr;
    return has(*node, index) ? &value : nullptr;
  }

  // What find() will read, soon; and for whichever slot of a leaf that has this one.
  void prefetch(Slot slot) const { prefetch_below(slot, 1); }
  void prefetch_near(Slot slot) const { prefetch_below(slot & ~Slot{kWidth - 1}, kWidth); }

  // The first value at `slot` or after it, and where it stands; null (and `found` untouched) where there is none.
  const T* next_from(Slot slot, Slot& found) const;

  // Where the last value stands. Requires that there is one.
  Slot last() const { return last_; }

  // The value with `rank` others before it, in the order of slots, and where it stands; null where rank >= size().
  [[gnu::always_inline]] const T* nth(uint32_t rank, Slot& found) const
    requires std::same_as<Measure, EachOnce>;

  // What nth() will read, soon. Requires rank < size(). Returns where it stands; where there are gaps beside it, it may
  // stand a little further on.
  Slot prefetch_nth(uint32_t rank) const
    requires std::same_as<Measure, EachOnce>;

  // The value that has the place, in the order of slots; where it stands, and which of its own places that is. Requires
  // place < sum(). For measures of which free places have nothing.
  const T& at_place(Sum place, Slot& found, Sum& within) const
    requires(!std::same_as<Measure, EachOnce>)
  {
    return at_place(search(place), found, within);
  }

  // The same in two steps, between which what the second one reads can be fetched; it takes a map with the same content
  // that shares its nodes.
  struct Search {
    const void* leaf = nullptr;
    Slot first = 0;
    Sum place = 0;
    void prefetch() const;
  };
  Search search(Sum place) const
    requires(!std::same_as<Measure, EachOnce>);
  static const T& at_place(const Search& search, Slot& found, Sum& within)
    requires(!std::same_as<Measure, EachOnce>);

  // Calls f(slot, value) in the order of slots.
  template <typename F>
  void for_each(F&& f) const {
    if (root_) for_each_below(*root_, shift_, 0, f);
  }

  // Adds, or replaces what stands there.
  void set(Slot slot, T value) {
    if constexpr (kIsRef<T>) FAIRLEAD_CHECK(value);
    if (!root_) shift_ = top_shift(slot), root_ = make_node(shift_), last_ = slot;
    last_ = std::max(last_, slot);
    while (beyond_root(slot)) grow();
    set_below(root_, shift_, slot, std::move(value));
  }

  // What stands there, to be changed in place. Requires that something does, and that it measures the same afterwards.
  T& change(Slot slot);

  // False where nothing stands there.
  bool erase(Slot slot);

  // Calls f(address) for each node: how tests see what two versions share.
  template <typename F>
  void for_each_node(F&& f) const {
    if (root_) for_each_node_below(*root_, f);
  }

 private:
  // How many values a cache line has.
  static constexpr unsigned kInLine = std::max<unsigned>(1, 64 / sizeof(T));
  static constexpr unsigned kBits = 5;
  static constexpr unsigned kWidth = 1u << kBits;

  struct Node : RefCounted {
    explicit Node(bool leaf) : is_leaf(leaf) {}
    // Which places are taken. No node is without any.
    uint32_t occupied = 0;
    bool is_leaf;
    // Of the values in it and below.
    Sum sum = 0;

    // Whoever lets go of the last reference may know it as a Node only; it ends as what it is.
    static void operator delete(Node* node, std::destroying_delete_t) {
      if (node->is_leaf) {
        destroy(static_cast<Leaf*>(node));
      } else {
        destroy(static_cast<Branch*>(node));
      }
    }

   private:
    template <typename N>
    static void destroy(N* node) {
      node->~N();
      slab_release<N>(node);
    }
  };

  struct Leaf : Node {
    Leaf() : Node(true) {}
    static void* operator new(size_t) { return slab_allocate<Leaf>(); }
    std::array<T, kWidth> values{};
  };

  struct Branch : Node {
    Branch() : Node(false) {}
    static void* operator new(size_t) { return slab_allocate<Branch>(); }
    std::array<Ref<Node>, kWidth> children;
    // Of the values below the children to the left of each: places are searched for in these without touching a child.
    std::array<Sum, kWidth> before{};

    Sum sum_below(unsigned index) const { return (index + 1 < kWidth ? before[index + 1] : this->sum) - before[index]; }
    // What is less than nothing wraps around.
    void add(unsigned index, Sum change) {
      for (unsigned i = index + 1; i < kWidth; ++i) before[i] += change;
      this->sum += change;
    }
  };

  static unsigned index_at(Slot slot, unsigned shift) { return (slot >> shift) & (kWidth - 1); }
  static unsigned last_index(const Node& node) { return kWidth - 1 - std::countl_zero(node.occupied); }
  static bool has(const Node& node, unsigned index) { return (node.occupied >> index) & 1; }
  static constexpr uint64_t shifted(Slot slot, unsigned shift) {
    if constexpr (sizeof(Slot) == 8) {
      if (shift >= 64) return 0;
    }
    return uint64_t{slot} >> shift;
  }
  bool beyond_root(Slot slot) const { return shifted(slot, shift_ + kBits) != 0; }
  static unsigned top_shift(Slot slot) {
    unsigned shift = 0;
    while (shifted(slot, shift + kBits) != 0) shift += kBits;
    return shift;
  }

  // The place of the bit with `rank` others below it. Most often the lowest ones are set, without a gap.
  static unsigned nth_set_bit(uint32_t bits, uint32_t rank) {
    if ((bits & (bits + 1)) == 0) return rank;
    for (; rank > 0; --rank) bits &= bits - 1;
    return std::countr_zero(bits);
  }

  // The last child with at most `place` before it. It has a value: those after an empty child start where it does, and
  // to the right of the last value all children have `sum` before them, which is more than place.
  static unsigned child_with(const Branch& branch, Sum place) {
    unsigned index = 0;
    for (unsigned step = kWidth / 2; step > 0; step /= 2) index += branch.before[index + step] <= place ? step : 0;
    return index;
  }
  static unsigned child_with_rank(const Branch& branch, unsigned shift, uint32_t rank) {
    // Where nothing is missing to the left of it, and never further to the right.
    unsigned guess = rank >> shift;
    if (guess + 1 >= kWidth || branch.before[guess + 1] > rank) [[likely]]
      return guess;
    return child_with(branch, rank);
  }

  static Ref<Node> make_node(unsigned shift) {
    if (shift == 0) return Ref<Node>(new Leaf());
    return Ref<Node>(new Branch());
  }
  // Makes `node` one that only this map refers to. Asked from the root downwards: copying a parent makes its children
  // shared, so a child that is unique here is unique on its whole way.
  static void make_own(Ref<Node>& node) {
    if (node->is_unique()) return;
    if (node->is_leaf) {
      node = Ref<Node>(new Leaf(static_cast<const Leaf&>(*node)));
    } else {
      node = Ref<Node>(new Branch(static_cast<const Branch&>(*node)));
    }
  }

  void prefetch_below(Slot slot, unsigned count) const;
  Slot find_last() const;
  void grow();
  void shrink();
  // Returns what the sum has more, or less, now.
  static Sum set_below(Ref<Node>& node, unsigned shift, Slot slot, T&& value);
  // What stands at the slot measures `its`.
  static void erase_below(Ref<Node>& node, unsigned shift, Slot slot, Sum its);
  static const T* first_below(const Node* node, unsigned shift, Slot prefix, Slot& found);
  template <typename F>
  static void for_each_below(const Node& node, unsigned shift, Slot prefix, F& f);
  template <typename F>
  static void for_each_node_below(const Node& node, F& f);

  Ref<Node> root_;
  // Of the root's index within a slot: 0 where the root is a leaf. Means nothing while there is no root.
  unsigned shift_ = 0;
  // Means nothing while there is no root.
  Slot last_ = 0;
};

// Nodes above the leaves are few, and read; a leaf is not.
template <typename T, typename Key, typename Measure>
void SlotMap<T, Key, Measure>::prefetch_below(Slot slot, unsigned count) const {
  if (!root_ || beyond_root(slot)) return;
  const Node* node = root_.get();
  for (unsigned shift = shift_; shift > 0; shift -= kBits) {
    node = static_cast<const Branch*>(node)->children[index_at(slot, shift)].get();
    if (!node) return;
  }
  if constexpr (!kIsRef<T>) __builtin_prefetch(node);
  const T* value = &static_cast<const Leaf*>(node)->values[index_at(slot, 0)];
  for (unsigned i = 0; i < count; i += kInLine) __builtin_prefetch(value + i);
}

template <typename T, typename Key, typename Measure>
const T* SlotMap<T, Key, Measure>::next_from(Slot slot, Slot& found) const {
  if (!root_ || beyond_root(slot)) return nullptr;
  const Node* node = root_.get();
  // The last place on the way down where something stands to the right of the way.
  const Branch* turn = nullptr;
  unsigned turn_shift = 0;
  uint32_t turn_right = 0;
  for (unsigned shift = shift_; shift > 0 && node; shift -= kBits) {
    const auto* branch = static_cast<const Branch*>(node);
    unsigned index = index_at(slot, shift);
    if (uint32_t right = branch->occupied & (~uint32_t{1} << index); right != 0) {
      turn = branch;
      turn_shift = shift;
      turn_right = right;
    }
    node = branch->children[index].get();
  }
  if (node) {
    uint32_t here = node->occupied & (~uint32_t{0} << index_at(slot, 0));
    if (here != 0) {
      unsigned index = std::countr_zero(here);
      found = (slot & ~Slot{kWidth - 1}) | index;
      return &static_cast<const Leaf*>(node)->values[index];
    }
  }
  if (!turn) return nullptr;
  unsigned index = std::countr_zero(turn_right);
  uint64_t above = shifted(slot, turn_shift + kBits) << (turn_shift + kBits) % 64;
  Slot prefix = static_cast<Slot>(above) | (static_cast<Slot>(index) << turn_shift);
  return first_below(turn->children[index].get(), turn_shift - kBits, prefix, found);
}

template <typename T, typename Key, typename Measure>
const T* SlotMap<T, Key, Measure>::first_below(const Node* node, unsigned shift, Slot prefix, Slot& found) {
  for (; shift > 0; shift -= kBits) {
    unsigned index = std::countr_zero(node->occupied);
    prefix |= static_cast<Slot>(index) << shift;
    node = static_cast<const Branch*>(node)->children[index].get();
  }
  unsigned index = std::countr_zero(node->occupied);
  found = prefix | index;
  return &static_cast<const Leaf*>(node)->values[index];
}

template <typename T, typename Key, typename Measure>
Key SlotMap<T, Key, Measure>::find_last() const {
  const Node* node = root_.get();
  Slot prefix = 0;
  for (unsigned shift = shift_; shift > 0; shift -= kBits) {
    unsigned index = last_index(*node);
    prefix |= static_cast<Slot>(index) << shift;
    node = static_cast<const Branch*>(node)->children[index].get();
  }
  return prefix | last_index(*node);
}

template <typename T, typename Key, typename Measure>
const T* SlotMap<T, Key, Measure>::nth(uint32_t rank, Slot& found) const
  requires std::same_as<Measure, EachOnce>
{
  if (rank >= size()) return nullptr;
  const Node* node = root_.get();
  Slot prefix = 0;
  unsigned shift = shift_;
  for (; shift > 0; shift -= kBits) {
    const auto* branch = static_cast<const Branch*>(node);
    unsigned index = child_with_rank(*branch, shift, rank);
    rank -= branch->before[index];
    prefix |= static_cast<Slot>(index) << shift;
    node = branch->children[index].get();
    // Where no place is free a value's rank is its place: known before any node below is read.
    if (branch->sum_below(index) == uint64_t{1} << shift) {
      found = prefix | rank;
      for (shift -= kBits; shift > 0; shift -= kBits) {
        node = static_cast<const Branch*>(node)->children[index_at(rank, shift)].get();
      }
      return &static_cast<const Leaf*>(node)->values[index_at(rank, 0)];
    }
  }
  unsigned index = nth_set_bit(node->occupied, rank);
  found = prefix | index;
  return &static_cast<const Leaf*>(node)->values[index];
}

template <typename T, typename Key, typename Measure>
auto SlotMap<T, Key, Measure>::search(Sum place) const -> Search
  requires(!std::same_as<Measure, EachOnce>)
{
  const Node* node = root_.get();
  Slot first = 0;
  for (unsigned shift = shift_; shift > 0; shift -= kBits) {
    const auto* branch = static_cast<const Branch*>(node);
    unsigned index = child_with(*branch, place);
    place -= branch->before[index];
    first |= static_cast<Slot>(index) << shift;
    node = branch->children[index].get();
  }
  return {node, first, place};
}

template <typename T, typename Key, typename Measure>
const T& SlotMap<T, Key, Measure>::at_place(const Search& search, Slot& found, Sum& within)
  requires(!std::same_as<Measure, EachOnce>)
{
  const auto& values = static_cast<const Leaf*>(static_cast<const Node*>(search.leaf))->values;
  Sum place = search.place;
  unsigned index = 0;
  for (Sum its = 0; place >= (its = Measure::of(values[index])); ++index) place -= its;
  found = search.first | index;
  within = place;
  return values[index];
}

template <typename T, typename Key, typename Measure>
void SlotMap<T, Key, Measure>::Search::prefetch() const {
  const auto& values = static_cast<const Leaf*>(static_cast<const Node*>(leaf))->values;
  __builtin_prefetch(&values.front());
  __builtin_prefetch(&values.back());
}

// Reads what prefetch() reads.
template <typename T, typename Key, typename Measure>
Key SlotMap<T, Key, Measure>::prefetch_nth(uint32_t rank) const
  requires std::same_as<Measure, EachOnce>
{
  const Node* node = root_.get();
  Slot prefix = 0;
  bool has_gaps = true;
  for (unsigned shift = shift_; shift > 0; shift -= kBits) {
    const auto* branch = static_cast<const Branch*>(node);
    unsigned index = child_with_rank(*branch, shift, rank);
    rank -= branch->before[index];
    prefix |= static_cast<Slot>(index) << shift;
    node = branch->children[index].get();
    has_gaps = branch->sum_below(index) < uint64_t{1} << shift;
  }
  if (has_gaps) __builtin_prefetch(node);
  __builtin_prefetch(&static_cast<const Leaf*>(node)->values[rank]);
  return prefix | rank;
}

template <typename T, typename Key, typename Measure>
T& SlotMap<T, Key, Measure>::change(Slot slot) {
  Ref<Node>* node = &root_;
  make_own(*node);
  for (unsigned shift = shift_; shift > 0; shift -= kBits) {
    node = &static_cast<Branch&>(**node).children[index_at(slot, shift)];
    make_own(*node);
  }
  return static_cast<Leaf&>(**node).values[index_at(slot, 0)];
}

template <typename T, typename Key, typename Measure>
bool SlotMap<T, Key, Measure>::erase(Slot slot) {
  const T* value = find(slot);
  if (!value) return false;
  const Sum its = Measure::of(*value);
  if (root_->sum == its) {
    root_ = nullptr;
    return true;
  }
  erase_below(root_, shift_, slot, its);
  shrink();
  if (slot == last_) last_ = find_last();
  return true;
}

template <typename T, typename Key, typename Measure>
void SlotMap<T, Key, Measure>::grow() {
  auto* branch = new Branch();
  branch->occupied = 1;
  branch->add(0, root_->sum);
  branch->children[0] = std::move(root_);
  root_ = Ref<Node>(branch);
  shift_ += kBits;
}

// A root with nothing but its first child gives way to it.
template <typename T, typename Key, typename Measure>
void SlotMap<T, Key, Measure>::shrink() {
  while (shift_ > 0 && root_->occupied == 1) {
    Ref<Node> child = static_cast<Branch&>(*root_).children[0];
    root_ = std::move(child);
    shift_ -= kBits;
  }
}

template <typename T, typename Key, typename Measure>
auto SlotMap<T, Key, Measure>::set_below(Ref<Node>& node, unsigned shift, Slot slot, T&& value) -> Sum {
  make_own(node);
  unsigned index = index_at(slot, shift);
  Sum change = 0;
  if (shift == 0) {
    T& place = static_cast<Leaf&>(*node).values[index];
    change = Measure::of(value) - (has(*node, index) ? Measure::of(place) : 0);
    place = std::move(value);
    node->sum += change;
  } else {
    auto& branch = static_cast<Branch&>(*node);
    Ref<Node>& child = branch.children[index];
    if (!child) child = make_node(shift - kBits);
    change = set_below(child, shift - kBits, slot, std::move(value));
    if (change != 0) branch.add(index, change);
  }
  node->occupied |= uint32_t{1} << index;
  return change;
}

// Something stands at the slot, and it is not the only one below `node`.
template <typename T, typename Key, typename Measure>
void SlotMap<T, Key, Measure>::erase_below(Ref<Node>& node, unsigned shift, Slot slot, Sum its) {
  make_own(node);
  unsigned index = index_at(slot, shift);
  if (shift == 0) {
    static_cast<Leaf&>(*node).values[index] = T();
    node->occupied &= ~(uint32_t{1} << index);
    node->sum -= its;
    return;
  }
  auto& branch = static_cast<Branch&>(*node);
  if (branch.sum_below(index) == its) {
    branch.children[index] = nullptr;
    branch.occupied &= ~(uint32_t{1} << index);
  } else {
    erase_below(branch.children[index], shift - kBits, slot, its);
  }
  branch.add(index, 0 - its);
}

template <typename T, typename Key, typename Measure>
template <typename F>
void SlotMap<T, Key, Measure>::for_each_below(const Node& node, unsigned shift, Slot prefix, F& f) {
  for (uint32_t left = node.occupied; left != 0; left &= left - 1) {
    unsigned index = std::countr_zero(left);
    Slot slot = prefix | (static_cast<Slot>(index) << shift);
    if (shift == 0) {
      f(slot, static_cast<const Leaf&>(node).values[index]);
    } else {
      for_each_below(*static_cast<const Branch&>(node).children[index], shift - kBits, slot, f);
    }
  }
}

template <typename T, typename Key, typename Measure>
template <typename F>
void SlotMap<T, Key, Measure>::for_each_node_below(const Node& node, F& f) {
  f(static_cast<const void*>(&node));
  if (node.is_leaf) return;
  for (uint32_t left = node.occupied; left != 0; left &= left - 1) {
    for_each_node_below(*static_cast<const Branch&>(node).children[std::countr_zero(left)], f);
  }
}

}  // namespace fairlead::base
