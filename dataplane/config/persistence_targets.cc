#include "config/persistence_targets.h"

#include "config/validate.h"

namespace fairlead::config {

CookieValue cookie_value(const base::SipKey& key, std::string_view backend, std::string_view server) {
  std::array<char, 2 * kNameMax + 1> bytes;
  size_t size = backend.copy(bytes.data(), kNameMax);
  bytes[size++] = '\0';
  size += server.copy(bytes.data() + size, kNameMax);
  return base::siphash(key, {bytes.data(), size});
}

std::array<char, kCookieValueSize> to_text(CookieValue value) {
  std::array<char, kCookieValueSize> text;
  for (size_t i = 0; i < text.size(); ++i) text[i] = "0123456789abcdef"[value >> (60 - 4 * i) & 15];
  return text;
}

std::optional<CookieValue> parse_cookie_value(std::string_view text) {
  if (text.size() != kCookieValueSize) return std::nullopt;
  CookieValue value = 0;
  for (char c : text) {
    bool is_digit = c >= '0' && c <= '9';
    bool is_letter = c >= 'a' && c <= 'f';
    if (!is_digit && !is_letter) return std::nullopt;
    value = value << 4 | static_cast<CookieValue>(is_digit ? c - '0' : c - 'a' + 10);
  }
  return value;
}

auto PersistenceTargets::next_with(const Node* node, CookieValue value) -> const Node* {
  while (node && node->value != value) node = node->next.get();
  return node;
}

auto PersistenceTargets::first(CookieValue value) const -> const Node* {
  const base::Ref<const Node>* list = by_value_.find(place_of(value));
  return list ? next_with(list->get(), value) : nullptr;
}

const Server* PersistenceTargets::with_value(CookieValue value) const {
  return with_value(value, [this](Slot slot) { return by_slot_.find(slot); });
}

void PersistenceTargets::put_value(CookieValue value, Slot slot) {
  const base::Ref<const Node>* list = by_value_.find(place_of(value));
  by_value_.set(place_of(value), base::Ref<const Node>(new Node(value, slot, list ? *list : base::Ref<const Node>())));
}

void PersistenceTargets::drop_value(CookieValue value, Slot slot) {
  const base::Ref<const Node>* list = by_value_.find(place_of(value));
  if (!list) return;
  base::Ref<const Node> rest = without(*list, value, slot);
  if (rest) {
    by_value_.set(place_of(value), std::move(rest));
  } else {
    by_value_.erase(place_of(value));
  }
}

auto PersistenceTargets::without(const base::Ref<const Node>& list, CookieValue value, Slot slot)
    -> base::Ref<const Node> {
  if (!list) return nullptr;
  if (list->value == value && list->slot == slot) return list->next;
  return base::Ref<const Node>(new Node(list->value, list->slot, without(list->next, value, slot)));
}

}  // namespace fairlead::config
