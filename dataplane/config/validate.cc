#include "config/validate.h"

#include <algorithm>
#include <array>

#include "absl/strings/ascii.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "base/quoted.h"
#include "config/text.h"

namespace fairlead::config {
namespace {

bool is_name_character(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '.' || c == ':' || c == '-';
}

bool is_host_label(std::string_view label) {
  return !label.empty() && label.size() <= 63 && label.front() != '-' && label.back() != '-' &&
         std::ranges::all_of(
             label, [](char c) { return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_'; });
}

// RFC 3986, section 3.3, without dot segments, which no normalised request path has.
bool is_path_character(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) || std::string_view("-._~!$&'()*+,;=:@%/").contains(c);
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_visible(char c) { return c > ' ' && c < '\x7f'; }

// RFC 9110, section 5.6.2.
bool is_token_character(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) || std::string_view("!#$%&'*+-.^_`|~").contains(c);
}

bool has_dot_segment(std::string_view path) {
  return std::ranges::any_of(std::vector<absl::string_view>(absl::StrSplit(as_absl(path), '/')),
                             [](absl::string_view segment) { return segment == "." || segment == ".."; });
}

// By trial: for numbers of some millions.
bool is_prime(uint32_t value) {
  if (value < 2) return false;
  for (uint32_t divisor = 2; uint64_t{divisor} * divisor <= value; ++divisor) {
    if (value % divisor == 0) return false;
  }
  return true;
}

}  // namespace

std::string quoted(std::string_view value) { return base::quoted_excerpt(value); }

std::string to_text(Duration duration) { return absl::FormatDuration(absl::FromChrono(duration)); }

Problem check_name(std::string_view name) {
  if (name.empty()) return "is empty; a name has 1 to 255 of the characters A-Z a-z 0-9 _ . : -";
  if (name.starts_with('@'))
    return concat(quoted(name), " is a name as of a server that DNS names, which is not written");
  if (name.size() > kNameMax) return concat(quoted(name), " has ", name.size(), " bytes; a name has 1 to 255");
  if (!std::ranges::all_of(name, is_name_character)) {
    return concat(quoted(name), " has other characters than A-Z a-z 0-9 _ . : -");
  }
  if (name == "." || name == "..") return concat(quoted(name), " is not a name");
  return std::nullopt;
}

Problem check_range(uint64_t value, Range allowed) {
  if (allowed.min <= value && value <= allowed.max) return std::nullopt;
  return concat(value, " is out of range [", allowed.min, ", ", allowed.max, "]");
}

Problem check_prime(uint32_t value) {
  if (is_prime(value)) return std::nullopt;
  uint32_t near = value;
  while (!is_prime(near)) ++near;
  return concat(value, " is not a prime; ", near, " is");
}

Problem check_duration(Duration value, Duration min, Duration max) {
  if (min <= value && value <= max) return std::nullopt;
  return concat(to_text(value), " is out of range [", to_text(min), ", ", to_text(max), "]");
}

Problem check_label(std::string_view key, std::string_view value) {
  if (Problem problem = check_name(key)) return concat("key ", *problem);
  if (value.size() <= kLabelValueMax) return std::nullopt;
  return concat("the value of ", quoted(key), " has ", value.size(), " bytes, at most ", kLabelValueMax,
                " are allowed");
}

Problem check_zone(std::string_view zone) {
  if (zone.size() <= kLabelValueMax) return std::nullopt;
  return concat("has ", zone.size(), " bytes, at most ", kLabelValueMax, " are allowed");
}

Problem check_host(std::string_view host) {
  constexpr std::string_view kForms =
      "a host is a name as api.example.com, a wildcard as *.example.com, or an IP address";
  if (host.size() > 253) return concat(quoted(host), " has more than 253 bytes; ", kForms);
  if (host.starts_with('[') && Endpoint::parse(concat(host, ":0")).ok()) return std::nullopt;
  std::string_view name = host.starts_with("*.") ? host.substr(2) : host;
  for (absl::string_view label : absl::StrSplit(as_absl(name), '.')) {
    if (!is_host_label({label.data(), label.size()})) return concat(quoted(host), " is not a host; ", kForms);
  }
  return std::nullopt;
}

Problem check_service_name(std::string_view name) {
  std::string_view host = name.ends_with('.') ? name.substr(0, name.size() - 1) : name;
  bool is_other = host.starts_with("*.") || host.starts_with('[') || check_host(host);
  if (!is_other) return std::nullopt;
  return concat(quoted(name), " is not an SRV name, such as _http._tcp.app.internal");
}

Problem check_path_prefix(std::string_view prefix) {
  if (prefix.empty()) return std::nullopt;
  if (prefix.front() != '/') return concat(quoted(prefix), " does not begin with \"/\"");
  if (prefix.size() > kPathPrefixMax) {
    return concat(quoted(prefix), " has ", prefix.size(), " bytes, at most ", kPathPrefixMax, " are allowed");
  }
  if (!std::ranges::all_of(prefix, is_path_character)) {
    return concat(quoted(prefix), " has characters that a path has only percent-encoded");
  }
  if (has_dot_segment(prefix)) return concat(quoted(prefix), " has a segment \".\" or \"..\"");
  return std::nullopt;
}

Problem check_check_path(std::string_view path) {
  if (!path.starts_with('/')) return concat(quoted(path), " does not begin with \"/\"");
  if (path.size() > kCheckTextMax) {
    return concat(quoted(path), " has ", path.size(), " bytes, at most ", kCheckTextMax, " are allowed");
  }
  if (std::ranges::all_of(path, [](char c) { return is_visible(c) && c != '#'; })) return std::nullopt;
  return concat(quoted(path), " has other than visible ASCII characters, or \"#\"; percent-encode them");
}

Problem check_host_field(std::string_view host) {
  std::string_view name = host;
  size_t colon = host.rfind(':');
  if (colon != std::string_view::npos && !host.ends_with(']')) {
    name = host.substr(0, colon);
    std::string_view port = host.substr(colon + 1);
    bool is_number = !port.empty() && port.size() <= 5 && std::ranges::all_of(port, is_digit);
    if (!is_number) return concat(quoted(host), " is not a host with a port");
  }
  if (name.starts_with("*.")) return concat(quoted(host), " is a wildcard; a check has one host");
  if (Problem problem = check_host(name)) return problem;
  return std::nullopt;
}

Problem check_header(std::string_view name, std::string_view value) {
  constexpr std::array<std::string_view, 11> kOurs = {
      "host",   "connection", "content-length",   "transfer-encoding", "te", "trailer", "upgrade",
      "expect", "keep-alive", "proxy-connection", "http2-settings"};
  if (name.empty() || name.size() > 255 || !std::ranges::all_of(name, is_token_character)) {
    return concat(quoted(name), " is not a header's name");
  }
  std::string lower = absl::AsciiStrToLower(as_absl(name));
  if (lower == "host") return concat(quoted(name), " is set by the field `host`");
  if (std::ranges::find(kOurs, lower) != kOurs.end()) {
    return concat(quoted(name), " frames the message or is for one hop; it cannot be set");
  }
  if (value.size() > kCheckTextMax) {
    return concat("the value of ", quoted(name), " has ", value.size(), " bytes, at most ", kCheckTextMax,
                  " are allowed");
  }
  auto is_blank = [](char c) { return c == ' ' || c == '\t'; };
  bool is_padded = !value.empty() && (is_blank(value.front()) || is_blank(value.back()));
  if (!is_padded && std::ranges::all_of(value, [&](char c) { return is_visible(c) || is_blank(c); })) {
    return std::nullopt;
  }
  return concat("the value of ", quoted(name),
                " has other than visible ASCII characters, spaces and tabs, or a blank at ", "an end");
}

Problem check_cookie_name(std::string_view name) {
  if (name.empty()) return "is not set; a cookie needs a name";
  if (name.size() > kCookieNameMax) {
    return concat(quoted(name), " has ", name.size(), " bytes, at most ", kCookieNameMax, " are allowed");
  }
  if (std::ranges::all_of(name, is_token_character)) return std::nullopt;
  return concat(quoted(name), " is not a cookie's name, which has letters, digits and !#$%&'*+-.^_`|~");
}

Problem check_cookie_domain(std::string_view domain) {
  if (domain.empty()) return std::nullopt;
  std::string_view host = domain.starts_with('.') ? domain.substr(1) : domain;
  if (host.starts_with("*.") || host.starts_with('[') || check_host(host)) {
    return concat(quoted(domain), " is not a domain; it is a name as example.com or .example.com");
  }
  return std::nullopt;
}

Problem check_cookie_path(std::string_view path) {
  if (path.empty()) return std::nullopt;
  if (path.front() != '/') return concat(quoted(path), " does not begin with \"/\"");
  if (path.size() > kCookiePathMax) {
    return concat(quoted(path), " has ", path.size(), " bytes, at most ", kCookiePathMax, " are allowed");
  }
  if (std::ranges::all_of(path, [](char c) { return is_visible(c) && c != ';'; })) return std::nullopt;
  return concat(quoted(path), " has other than visible ASCII characters, or \";\"");
}

Problem check_destination(const Endpoint& address) {
  if (address.is_destination()) return std::nullopt;
  std::string text = address.to_string();
  if (!address.is_unix() && address.port() == 0) return concat(quoted(text), " has port 0; a server's is 1 to 65535");
  return concat(quoted(text), " is an unspecified, multicast or broadcast address, which nothing can connect to");
}

}  // namespace fairlead::config
