// Request methods (RFC 9110 section 9; PATCH is RFC 5789).
#pragma once

#include <cstdint>
#include <string_view>

namespace fairlead::http {

// kOther is any valid token that we do not know: it is forwarded, its text stays in the head.
enum class Method : uint8_t { kGet, kHead, kPost, kPut, kDelete, kConnect, kOptions, kTrace, kPatch, kOther };

// Methods are case-sensitive: `get` is kOther.
inline Method method_from(std::string_view text) {
  switch (text.size()) {
    case 3:
      if (text == "GET") return Method::kGet;
      if (text == "PUT") return Method::kPut;
      break;
    case 4:
      if (text == "POST") return Method::kPost;
      if (text == "HEAD") return Method::kHead;
      break;
    case 5:
      if (text == "PATCH") return Method::kPatch;
      if (text == "TRACE") return Method::kTrace;
      break;
    case 6:
      if (text == "DELETE") return Method::kDelete;
      break;
    case 7:
      if (text == "OPTIONS") return Method::kOptions;
      if (text == "CONNECT") return Method::kConnect;
      break;
    default:
      break;
  }
  return Method::kOther;
}

// Asks for nothing to be changed (RFC 9110 section 9.2.1).
constexpr bool is_safe(Method method) {
  return method == Method::kGet || method == Method::kHead || method == Method::kOptions || method == Method::kTrace;
}

// Sent twice means the same as sent once, so a retry is allowed (RFC 9110 section 9.2.2).
constexpr bool is_idempotent(Method method) {
  return is_safe(method) || method == Method::kPut || method == Method::kDelete;
}

}  // namespace fairlead::http
