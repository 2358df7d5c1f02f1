// The servers of a backend that clients may come back to: those of its snapshot, by slot and by their cookies' values.
//
// Copies share all but what has changed (base/slot_map.h); a change costs the same at a million servers and ten.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/ref.h"
#include "base/siphash.h"
#include "base/slot_map.h"
#include "config/model.h"

namespace fairlead::config {

// What stands for a server in a cookie: 16 hexadecimal digits, in lower case.
using CookieValue = uint64_t;
inline constexpr size_t kCookieValueSize = 16;

// SipHash-2-4 of "BACKEND\0SERVER", keyed by the MD5 of the secret (CookiePersistence::key).
CookieValue cookie_value(const base::SipKey& key, std::string_view backend, std::string_view server);
std::array<char, kCookieValueSize> to_text(CookieValue value);
// Only what to_text() gives.
std::optional<CookieValue> parse_cookie_value(std::string_view text);

class PersistenceTargets {
 public:
  // Null where nobody may come back to the slot's server.
  const Server* at(Slot slot, Uid uid) const {
    const base::Ref<const Server>* server = by_slot_.find(slot);
    return server && (*server)->metadata.uid == uid ? server->get() : nullptr;
  }
  // Of the value's servers (names may share one, though hardly ever do) the first that one may come back to.
  const Server* with_value(CookieValue value) const;
  // The same of those that `find(slot)` gives instead, as a Ref or null.
  template <typename Find>
  const Server* with_value(CookieValue value, const Find& find) const {
    for (const Node* node = first(value); node; node = next_with(node->next.get(), value)) {
      if (const base::Ref<const Server>* server = find(node->slot)) return server->get();
    }
    return nullptr;
  }
  // Whether any server has the value, be it one that nobody may come back to.
  bool knows(CookieValue value) const { return first(value) != nullptr; }

  bool empty() const { return by_slot_.empty() && by_value_.empty(); }
  // One may come back to it.
  void put(const base::Ref<const Server>& server) { by_slot_.set(server->slot, server); }
  void drop(Slot slot) { by_slot_.erase(slot); }
  // A member, whatever its state. Each pair once.
  void put_value(CookieValue value, Slot slot);
  void drop_value(CookieValue value, Slot slot);

 private:
  // Those of one place, newest first; immutable.
  struct Node : base::RefCounted {
    Node(CookieValue its_value, Slot its_slot, base::Ref<const Node> others)
        : value(its_value), slot(its_slot), next(std::move(others)) {}
    const CookieValue value;
    const Slot slot;
    const base::Ref<const Node> next;
  };
  // Dense at a million servers, and a few nodes for each server where there are few.
  static uint32_t place_of(CookieValue value) { return static_cast<uint32_t>(value >> 44); }
  static base::Ref<const Node> without(const base::Ref<const Node>& list, CookieValue value, Slot slot);
  static const Node* next_with(const Node* node, CookieValue value);
  const Node* first(CookieValue value) const;

  base::SlotMap<base::Ref<const Server>> by_slot_;
  base::SlotMap<base::Ref<const Node>> by_value_;
};

}  // namespace fairlead::config
