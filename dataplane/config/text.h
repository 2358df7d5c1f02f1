// Abseil's string functions over std::string_view. The distribution builds Abseil with a string_view of its own, which
// does not convert; newer ones take std::string_view as it is, and then this is nothing but another name.
#pragma once

#include <string>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace fairlead::config {

inline absl::string_view as_absl(std::string_view text) { return absl::string_view(text.data(), text.size()); }

namespace internal {
template <typename T>
const T& piece(const T& value) {
  return value;
}
inline absl::string_view piece(const std::string_view& value) { return as_absl(value); }
}  // namespace internal

// As absl::StrCat().
template <typename... Pieces>
std::string concat(const Pieces&... pieces) {
  return absl::StrCat(internal::piece(pieces)...);
}

}  // namespace fairlead::config
