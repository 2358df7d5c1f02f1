#include "routing/router.h"

#include <algorithm>
#include <array>
#include <vector>

#include "http/text.h"

namespace fairlead::routing {
namespace {

using config::RouteTable;
using config::RouteTarget;
using Paths = std::vector<RouteTable::Path>;
using Hosts = std::vector<RouteTable::Host>;

// A host in lower case, without port and trailing dot. Empty where it is longer than any name.
class HostName {
 public:
  explicit HostName(std::string_view host) {
    std::string_view name = without_port(host);
    if (name.ends_with('.')) name.remove_suffix(1);
    if (name.size() > bytes_.size()) return;
    std::ranges::transform(name, bytes_.begin(), http::lower_case);
    size_ = name.size();
  }
  std::string_view text() const { return {bytes_.data(), size_}; }

 private:
  static std::string_view without_port(std::string_view host) {
    if (!host.starts_with('[')) return host.substr(0, host.find(':'));
    size_t end = host.find(']');
    return end == std::string_view::npos ? host : host.substr(0, end + 1);
  }

  std::array<char, 255> bytes_;
  size_t size_ = 0;
};

// In a vector that is sorted so. Null where there is none.
template <typename Entry>
const Entry* find_longest_first(const std::vector<Entry>& entries, std::string_view key, std::string Entry::* member) {
  auto at = std::ranges::lower_bound(entries, key, config::LongestFirst(), member);
  return at != entries.end() && (*at).*member == key ? &*at : nullptr;
}

const RouteTarget* match_path(const Paths& paths, std::string_view path) {
  if (paths.empty()) return nullptr;
  // The whole path, then what is before each slash, down to nothing. What is longer than the longest prefix is not
  // worth a search: a hostile path has thousands of slashes.
  size_t longest = paths.front().prefix.size();
  std::string_view rest = path;
  if (rest.size() > longest) rest = rest.substr(0, rest.rfind('/', longest));
  while (!rest.empty()) {
    const auto* found = find_longest_first(paths, rest, &RouteTable::Path::prefix);
    if (found) return &found->target;
    size_t slash = rest.rfind('/');
    rest = rest.substr(0, slash == std::string_view::npos ? 0 : slash);
  }
  // The empty prefix is the shortest, so it stands last.
  return paths.back().prefix.empty() ? &paths.back().target : nullptr;
}

const RouteTarget* match_exact(const Hosts& hosts, std::string_view name, std::string_view path) {
  auto at = std::ranges::lower_bound(hosts, name, {}, &RouteTable::Host::name);
  return at != hosts.end() && at->name == name ? match_path(at->paths, path) : nullptr;
}

const RouteTarget* match_wildcard(const Hosts& hosts, std::string_view name, std::string_view path) {
  if (hosts.empty()) return nullptr;
  // From 1: at least one byte stands for the "*".
  for (size_t dot = name.find('.', 1); dot != std::string_view::npos; dot = name.find('.', dot + 1)) {
    const auto* host = find_longest_first(hosts, name.substr(dot), &RouteTable::Host::name);
    const RouteTarget* target = host ? match_path(host->paths, path) : nullptr;
    if (target) return target;
  }
  return nullptr;
}

}  // namespace

config::RouteTarget route(const config::RouteTable& table, std::string_view host, std::string_view path) {
  path = path.substr(0, path.find_first_of("?#"));
  if (!table.exact.empty() || !table.wildcard.empty()) {
    HostName name(host);
    const RouteTarget* target = match_exact(table.exact, name.text(), path);
    if (!target) target = match_wildcard(table.wildcard, name.text(), path);
    if (target) return *target;
  }
  const RouteTarget* target = match_path(table.any_host, path);
  return target ? *target : RouteTarget{table.default_backend};
}

}  // namespace fairlead::routing
