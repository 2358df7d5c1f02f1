// What a route does besides naming a backend: answers itself, asks for another path or host, changes headers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ref.h"

namespace fairlead::config {

inline constexpr size_t kHeaderActionsMax = 32;
// Of all lines that a message gets.
inline constexpr size_t kHeaderLinesMax = 4096;
inline constexpr size_t kFixedBodyMax = 4096;

struct HeaderField {
  std::string name;
  std::string value;
  bool operator==(const HeaderField&) const = default;
};

// Fields go first, then come those that are set and added.
struct HeaderActions {
  std::vector<std::string> remove;
  std::vector<HeaderField> set;
  std::vector<HeaderField> add;

  bool empty() const { return remove.empty() && set.empty() && add.empty(); }
  bool operator==(const HeaderActions&) const = default;
};

struct Redirect {
  std::optional<uint16_t> status;
  // Empty, each: as in the request.
  std::string scheme;
  std::string host;
  std::optional<uint16_t> port;
  std::string path;
  // In place of the route's own.
  std::string path_prefix;
  bool drop_query = false;

  uint16_t effective_status() const { return status.value_or(302); }
  bool operator==(const Redirect&) const = default;
};

struct FixedResponse {
  uint16_t status = 0;
  // Empty: text/plain.
  std::string content_type;
  std::string body;

  std::string_view effective_content_type() const {
    return content_type.empty() ? std::string_view("text/plain") : content_type;
  }
  bool operator==(const FixedResponse&) const = default;
};

struct Rewrite {
  // Empty, each: as in the request.
  std::string path_prefix;
  std::string host;
  bool operator==(const Rewrite&) const = default;
};

// Header actions as they are carried out: whose fields go, and the lines that come, each with its CR LF.
struct HeaderChanges {
  std::vector<std::string> leave_out;
  std::string lines;

  static HeaderChanges of(const HeaderActions& actions);
};

// Made when the record is; a request holds it for as long as it needs it.
struct RouteActions : base::RefCounted {
  std::optional<Redirect> redirect;
  std::optional<FixedResponse> respond;
  Rewrite rewrite;
  HeaderActions request_headers;
  HeaderActions response_headers;

  // Of the route, without a slash at its end.
  std::string matched_prefix;
  HeaderChanges request_changes;
  HeaderChanges response_changes;

  bool answers_itself() const { return redirect.has_value() || respond.has_value(); }
  // Fills what is made of the rest.
  void compile(std::string_view path_prefix);
  bool same_as(const RouteActions& other) const;
};

// `path` with `replacement` in place of `matched`, which it begins with in whole segments, and one slash between what
// replaces and what is left.
std::string replace_prefix(std::string_view path, std::string_view matched, std::string_view replacement);

}  // namespace fairlead::config
