#include "management/role_list.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "base/quoted.h"
#include "config/text.h"
#include "config/validate.h"

namespace fairlead::management {
namespace {

using config::concat;

// One label of a host's name; "*" is none, so a certificate for a wildcard is nobody of it.
bool is_label(std::string_view text) {
  return !text.empty() &&
         std::ranges::all_of(text, [](unsigned char c) { return absl::ascii_isalnum(c) || c == '-' || c == '_'; });
}

// Logs and history print it.
bool is_printable(std::string_view text) {
  return base::first_invalid_utf8(text) == std::string_view::npos &&
         std::ranges::none_of(text, [](unsigned char c) { return c < ' ' || c == 127; });
}

}  // namespace

std::optional<std::string> RoleList::add(const std::string& name, v1::Role role) {
  if (name.empty()) return "is empty; it is a name of a client's certificate";
  if (name.size() > kNameBytesMax) {
    return concat("has ", name.size(), " bytes, at most ", kNameBytesMax, " are allowed");
  }
  if (!is_printable(name)) return config::quoted(name) + " has bytes that cannot be printed";
  std::string lower = absl::AsciiStrToLower(name);
  bool is_new = false;
  if (name.starts_with("*.")) {
    std::string suffix = lower.substr(2);
    if (suffix.empty() || suffix.find('*') != std::string::npos || suffix.starts_with('.')) {
      return config::quoted(name) + " is no wildcard; it is of the form \"*.ops.example.org\"";
    }
    is_new = wildcards_.emplace(suffix, role).second;
  } else if (name.find('*') != std::string::npos) {
    return config::quoted(name) + " has a \"*\" that is not at its beginning, as in \"*.ops.example.org\"";
  } else {
    is_new = exact_.emplace(name, role).second && hosts_.emplace(lower, role).second;
  }
  if (!is_new) return config::quoted(name) + " is in this list already";
  return std::nullopt;
}

v1::Role RoleList::exact(const std::string& name) const {
  auto at = exact_.find(name);
  return at == exact_.end() ? v1::ROLE_UNSPECIFIED : at->second;
}

v1::Role RoleList::host(std::string_view name) const {
  std::string lower = absl::AsciiStrToLower(config::as_absl(name));
  if (auto at = hosts_.find(lower); at != hosts_.end()) return at->second;
  size_t dot = lower.find('.');
  if (dot == std::string::npos || !is_label(std::string_view(lower).substr(0, dot))) return v1::ROLE_UNSPECIFIED;
  auto at = wildcards_.find(lower.substr(dot + 1));
  return at == wildcards_.end() ? v1::ROLE_UNSPECIFIED : at->second;
}

RoleList::Found RoleList::find(const tls::ClientNames& names) const {
  std::string first;
  auto decide = [&](const std::string& name, v1::Role role) {
    if (first.empty()) first = name;
    return role != v1::ROLE_UNSPECIFIED;
  };
  for (const std::string& uri : names.uris) {
    if (v1::Role role = exact(uri); decide(uri, role)) return {uri, role};
  }
  for (const std::string& name : names.hosts) {
    if (v1::Role role = host(name); decide(name, role)) return {name, role};
  }
  const std::string& common = names.common_name;
  v1::Role role = exact(common);
  // Of an exact name the case counts, so a host of the list is no common name in another one.
  if (role == v1::ROLE_UNSPECIFIED && !hosts_.contains(absl::AsciiStrToLower(common))) role = host(common);
  if (decide(common, role)) return {common, role};
  return {first, v1::ROLE_UNSPECIFIED};
}

}  // namespace fairlead::management
