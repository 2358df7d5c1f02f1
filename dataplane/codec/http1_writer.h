// Writing HTTP/1 heads anew from what was understood: nothing of the other side's framing or connection survives.
//
// All functions write into the caller's memory and return how many bytes they wrote, or nothing if it was too small, in
// which case the memory holds a useless part of a head. kHeadGrowth more than the parsed head is always enough, plus
// the lengths of the texts in the options.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "http/head.h"

namespace fairlead::codec {

inline constexpr size_t kHeadGrowth = 512;
// Enough for any write_error.
inline constexpr size_t kMaxErrorBytes = 512;

enum class ForwardedPolicy : uint8_t {
  kAppend,   // The client's address behind those that came in X-Forwarded-For; X-Forwarded-Proto is replaced.
  kReplace,  // What came is removed, with Forwarded, then ours is set.
  kKeep,     // As it came, nothing added.
};

struct RequestOptions {
  ForwardedPolicy forwarded = ForwardedPolicy::kAppend;
  std::string_view client_address = {};     // As text without a port. Empty: no X-Forwarded-For from us.
  std::string_view client_scheme = "http";  // For X-Forwarded-Proto.
  std::string_view via_name = "fairlead";   // Empty: no Via from us.
  std::string_view host_if_absent = {};     // For HTTP/1.0 clients without Host.
};

// The head for the server: HTTP/1.1, origin-form, Host first, hop-by-hop headers gone, framing from head.body. Passes
// an upgrade on if head.upgrade is set. No Connection header otherwise, so the server's connection is kept alive.
std::optional<size_t> write_request_head(const http::RequestHead& head, const RequestOptions& options,
                                         std::span<char> out);

struct ResponseOptions {
  http::Version client_version = http::Version::kHttp11;
  // The client's connection ends after this response.
  bool close = false;
  std::string_view via_name = "fairlead";  // Empty: no Via from us.
  // Sent as Date if the server gave none (RFC 9110 section 6.6.1). Empty: none.
  std::string_view date = {};
};

// How a response's body goes to the client: chunks become bytes until close for HTTP/1.0, and a body of unknown length
// becomes chunks for HTTP/1.1. Where the result is kUntilClose the client's connection must close after it, and
// write_response_head says so to the client by itself.
http::BodyFraming framing_for_client(const http::ResponseHead& head, http::Version client);

// The head for the client, interim ones and 101 as well. Interim heads must not be written for HTTP/1.0 clients.
std::optional<size_t> write_response_head(const http::ResponseHead& head, const ResponseOptions& options,
                                          std::span<char> out);

struct ErrorOptions {
  bool close = true;
  // The request was HEAD: no body follows.
  bool head_only = false;
  http::Version client_version = http::Version::kHttp11;
  std::string_view date = {};  // Empty: none.
};

// A whole response of our own with a line of text as body. kMaxErrorBytes are enough.
std::optional<size_t> write_error(int status, const ErrorOptions& options, std::span<char> out);

// Whether a Via header names `name` as one who received the message: it went in a circle.
bool via_names(const http::HeaderList& headers, std::string_view name);

}  // namespace fairlead::codec
