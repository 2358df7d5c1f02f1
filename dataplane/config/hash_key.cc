#include "config/hash_key.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "config/text.h"
#include "config/validate.h"
#include "http/text.h"

namespace fairlead::config {
namespace {

using Kind = HashKeyPart::Kind;
using Parsed = std::expected<HashKeyPart, std::string>;

constexpr std::string_view kFields = "{source}, {path}, {uri}, {query:NAME}, {header:NAME} or {cookie:NAME}";

// RFC 9110, section 5.6.2.
bool is_token_character(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) || std::string_view("!#$%&'*+-.^_`|~").contains(c);
}

bool is_token(std::string_view name) { return !name.empty() && std::ranges::all_of(name, is_token_character); }

bool is_parameter_name(std::string_view name) {
  return !name.empty() && std::ranges::all_of(name, [](char c) {
    return absl::ascii_isgraph(static_cast<unsigned char>(c)) && !std::string_view("&=#").contains(c);
  });
}

// What stands between braces.
Parsed parse_field(std::string_view field) {
  if (field == "source") return HashKeyPart{Kind::kSource, {}};
  if (field == "path") return HashKeyPart{Kind::kPath, {}};
  if (field == "uri") return HashKeyPart{Kind::kUri, {}};
  size_t colon = field.find(':');
  std::string_view kind = field.substr(0, colon);
  std::string_view name = colon == std::string_view::npos ? std::string_view() : field.substr(colon + 1);
  if (kind == "query") {
    if (is_parameter_name(name)) return HashKeyPart{Kind::kQuery, std::string(name)};
    return std::unexpected(concat(quoted(name), " is no name of a query parameter"));
  }
  if (kind != "header" && kind != "cookie") {
    return std::unexpected(concat(quoted(concat("{", field, "}")), " is not known; a field is ", kFields));
  }
  if (!is_token(name)) return std::unexpected(concat(quoted(name), " is no name of a ", kind));
  if (kind == "cookie") return HashKeyPart{Kind::kCookie, std::string(name)};
  HashKeyPart header{Kind::kHeader, std::string(name)};
  std::ranges::transform(header.text, header.text.begin(), http::lower_case);
  return header;
}

void add_text(HashKey& key, char c) {
  if (key.empty() || key.back().kind != Kind::kText) key.emplace_back();
  key.back().text += c;
}

}  // namespace

std::expected<HashKey, std::string> parse_hash_key(std::string_view text) {
  if (text.empty()) return std::unexpected(concat("is not set; HASH needs it: text with ", kFields));
  if (text.size() > kHashKeyMax) {
    return std::unexpected(concat("has ", text.size(), " bytes, at most ", kHashKeyMax, " are allowed"));
  }
  HashKey key;
  size_t fields = 0;
  for (size_t at = 0; at < text.size(); ++at) {
    bool is_brace = text[at] == '{' || text[at] == '}';
    bool is_doubled = is_brace && at + 1 < text.size() && text[at + 1] == text[at];
    if (!is_brace || is_doubled) {
      add_text(key, text[at]);
      at += is_doubled ? 1 : 0;
      continue;
    }
    size_t end = text.find_first_of("{}", at + 1);
    if (text[at] == '}' || end == std::string_view::npos || text[end] == '{') {
      return std::unexpected(
          concat(quoted(text), " has a \"", text.substr(at, 1), "\" alone; one that is meant as such is doubled"));
    }
    Parsed field = parse_field(text.substr(at + 1, end - at - 1));
    if (!field) return std::unexpected(std::move(field.error()));
    key.push_back(*std::move(field));
    ++fields;
    at = end;
  }
  if (fields == 0) return std::unexpected(concat(quoted(text), " has no field; a key has ", kFields));
  if (fields > kHashKeyFieldsMax) {
    return std::unexpected(concat("has ", fields, " fields, at most ", kHashKeyFieldsMax, " are allowed"));
  }
  return key;
}

}  // namespace fairlead::config
