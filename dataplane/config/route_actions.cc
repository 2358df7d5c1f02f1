#include "config/route_actions.h"

#include <tuple>

namespace fairlead::config {
namespace {

std::string_view without_slash_at_end(std::string_view path) {
  while (path.ends_with('/')) path.remove_suffix(1);
  return path;
}

}  // namespace

HeaderChanges HeaderChanges::of(const HeaderActions& actions) {
  HeaderChanges changes{.leave_out = actions.remove, .lines = {}};
  const auto add_line = [&](const HeaderField& field) {
    changes.lines.append(field.name).append(": ").append(field.value).append("\r\n");
  };
  for (const HeaderField& field : actions.set) {
    changes.leave_out.push_back(field.name);
    add_line(field);
  }
  for (const HeaderField& field : actions.add) add_line(field);
  return changes;
}

void RouteActions::compile(std::string_view path_prefix) {
  matched_prefix = without_slash_at_end(path_prefix);
  request_changes = HeaderChanges::of(request_headers);
  response_changes = HeaderChanges::of(response_headers);
}

bool RouteActions::same_as(const RouteActions& other) const {
  const auto tied = [](const RouteActions& a) {
    return std::tie(a.redirect, a.respond, a.rewrite, a.request_headers, a.response_headers);
  };
  return tied(*this) == tied(other);
}

std::string replace_prefix(std::string_view path, std::string_view matched, std::string_view replacement) {
  std::string_view rest = path.substr(matched.size());
  std::string result(without_slash_at_end(replacement));
  if (!rest.starts_with('/')) {
    // All of the path was matched: the replacement stands as it was written.
    result = replacement;
  }
  return result.append(rest);
}

}  // namespace fairlead::config
