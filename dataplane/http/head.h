// Request and response heads as they were understood, for whatever HTTP version they came in.
//
// A head is a large scratch object: each worker has one of a kind, fills it, uses it without awaiting anything, and
// fills it again. All views point into the bytes that were parsed (or to static text).
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "http/header.h"
#include "http/method.h"
#include "http/status.h"

namespace fairlead::http {

// Of HTTP/1; a minor version above 1 is understood as 1.1 (RFC 9110 section 2.5).
enum class Version : uint8_t { kHttp10, kHttp11 };

enum class BodyKind : uint8_t {
  kNone,
  kLength,      // Exactly `length` bytes, which may be 0.
  kChunked,     // Chunks tell their lengths.
  kUntilClose,  // All bytes until the connection ends. Responses only.
};

struct BodyFraming {
  BodyKind kind = BodyKind::kNone;
  uint64_t length = 0;

  // False means that nothing follows the head.
  constexpr bool has_bytes() const { return kind != BodyKind::kNone && !(kind == BodyKind::kLength && length == 0); }
  friend constexpr bool operator==(const BodyFraming&, const BodyFraming&) = default;
};

struct RequestHead {
  Method method = Method::kOther;
  Version version = Version::kHttp11;
  // The connection may carry another request after this one.
  bool keep_alive = true;
  // The client waits for a 100 before it sends the body. Never set without a body.
  bool expect_continue = false;

  std::string_view method_text;
  std::string_view target;     // As it was sent, for logs.
  std::string_view path;       // "/..." without the query, or "*" for OPTIONS *.
  std::string_view query;      // With its '?', or empty.
  std::string_view host;       // Authority to route by and to send on, as spelled; empty only in HTTP/1.0 without Host.
  std::string_view host_name;  // The same without the port; an IPv6 address keeps its brackets.

  BodyFraming body;
  // The protocols that the client asks to switch to and that may be passed on; empty where it asks for none, for h2c
  // only, or speaks HTTP/1.0.
  std::string_view upgrade;
  // Only for OPTIONS. At 0 the proxy must answer itself (RFC 9110 section 7.6.2); the writer counts it down.
  std::optional<uint32_t> max_forwards;

  HeaderList headers;

  void clear() {
    method = Method::kOther;
    version = Version::kHttp11;
    keep_alive = true;
    expect_continue = false;
    method_text = target = path = query = host = host_name = upgrade = {};
    body = {};
    max_forwards.reset();
    headers.clear();
  }
};

struct ResponseHead {
  Version version = Version::kHttp11;
  // The server's connection may be used again when the body has been read to its end.
  bool keep_alive = true;
  uint16_t status = 0;
  std::string_view reason;  // As it was sent, may be empty.

  // What follows the head.
  BodyFraming body;
  // Content-Length as it was declared, also where no body follows: the answer to HEAD, 304.
  std::optional<uint64_t> declared_length;
  // `Keep-Alive: timeout=N`: the server closes an idle connection after so many seconds.
  std::optional<uint32_t> keep_alive_timeout_seconds;
  // `Keep-Alive: max=N`: it takes so many more requests on this connection.
  std::optional<uint32_t> keep_alive_max;
  // The protocol of a 101, or what a 426 asks for; empty otherwise.
  std::string_view upgrade;

  HeaderList headers;

  bool is_informational() const { return http::is_informational(status); }
  // Another head follows this one. 101 is final: after it the bytes are the new protocol's.
  bool is_interim() const { return is_informational() && status != 101; }

  void clear() {
    version = Version::kHttp11;
    keep_alive = true;
    status = 0;
    reason = upgrade = {};
    body = {};
    declared_length.reset();
    keep_alive_timeout_seconds.reset();
    keep_alive_max.reset();
    headers.clear();
  }
};

}  // namespace fairlead::http
