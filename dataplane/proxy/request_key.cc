#include "proxy/request_key.h"

#include <optional>

#include "base/md5.h"
#include "base/xxh64.h"
#include "http/request_fields.h"

namespace fairlead::proxy {
namespace {

using config::HashKeyPart;
using Value = std::optional<std::string_view>;

Value source_value(std::string_view source) {
  // Clients of a Unix socket are all the same.
  if (source == "unix") return std::nullopt;
  return source;
}

Value header_value(const http::RequestHead& head, std::string_view name) {
  if (name == "host") return head.host.empty() ? Value() : Value(head.host);
  const http::Header* header = head.headers.find(name);
  return header ? Value(header->value) : std::nullopt;
}

// `head`: null for a connection.
Value value_of(const HashKeyPart& part, const http::RequestHead* head, std::string_view source) {
  if (part.kind == HashKeyPart::Kind::kSource) return source_value(source);
  if (!head) return std::nullopt;
  switch (part.kind) {
    case HashKeyPart::Kind::kPath:
      return head->path;
    case HashKeyPart::Kind::kQuery:
      return http::query_parameter(head->query, part.text);
    case HashKeyPart::Kind::kHeader:
      return header_value(*head, part.text);
    case HashKeyPart::Kind::kCookie:
      return http::cookie(head->headers, part.text);
    case HashKeyPart::Kind::kText:
    case HashKeyPart::Kind::kSource:
    case HashKeyPart::Kind::kUri:
      break;
  }
  return std::nullopt;
}

// Adds the key's text to the hash. False where it has none of the fields.
template <typename Hash>
bool add_to(Hash& hash, const config::HashKey& key, const http::RequestHead* head, std::string_view source) {
  bool any = false;
  for (const HashKeyPart& part : key) {
    if (part.kind == HashKeyPart::Kind::kText) {
      hash.add(part.text);
    } else if (part.kind == HashKeyPart::Kind::kUri && head) {
      hash.add(head->path);
      hash.add(head->query);
      any = true;
    } else if (Value value = value_of(part, head, source)) {
      hash.add(*value);
      any = true;
    }
  }
  return any;
}

// In place of a hash.
struct KeyText {
  void add(std::string_view part) { text += part; }
  std::string text;
};

}  // namespace

balancing::Key key_of(const config::HashSettings& settings, const http::RequestHead* head, std::string_view source) {
  if (settings.effective_type() == config::HashType::kRing) {
    base::Md5 digest;
    if (!add_to(digest, settings.key, head, source)) return std::nullopt;
    auto words = digest.words();
    return uint64_t{words[1]} << 32 | words[0];
  }
  return key_of(settings.key, head, source);
}

balancing::Key key_of(const config::HashKey& key, const http::RequestHead* head, std::string_view source) {
  base::Xxh64 hash;
  if (!add_to(hash, key, head, source)) return std::nullopt;
  return hash.value();
}

std::optional<std::string> key_text_of(const config::HashKey& key, const http::RequestHead* head,
                                       std::string_view source) {
  KeyText text;
  if (!add_to(text, key, head, source)) return std::nullopt;
  return std::move(text.text);
}

}  // namespace fairlead::proxy
