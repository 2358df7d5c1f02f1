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
#include <string>
#include <string_view>

#include "http/forwarded_format.h"
#include "http/forwarded_policy.h"
#include "http/head.h"

namespace fairlead::codec {

inline constexpr size_t kHeadGrowth = 512;
// Enough for any reply of our own whose options have no texts.
inline constexpr size_t kMaxReplyBytes = 512;

// The Via line that we add to each message (RFC 9110 section 7.6.3), made once.
class ViaLine {
 public:
  // `name` is a token: how we call ourselves.
  explicit ViaLine(std::string_view name);
  std::string_view name() const { return name_; }
  // By the version in which the message came.
  std::string_view of(http::Version version) const { return version == http::Version::kHttp10 ? http10_ : http11_; }

 private:
  std::string name_;
  std::string http10_;
  std::string http11_;
};

// Who sent a request, as we tell it to the server.
struct ForwardedLines {
  // As text without a port. Empty: no X-Forwarded-For from us.
  std::string_view address = {};
  // X-Forwarded-For with this address alone, and X-Forwarded-Proto.
  std::string_view lines = {};
};
inline constexpr size_t kMaxForwardedLines = 96;
// Makes the lines in `out`, which has kMaxForwardedLines and outlives what is returned. The
// address has at most 45 bytes (of IPv6), the scheme at most 8.
ForwardedLines make_forwarded_lines(std::string_view address, std::string_view scheme, std::span<char> out);

struct RequestOptions {
  http::ForwardedPolicy forwarded = http::ForwardedPolicy::kAppend;
  ForwardedLines client = {};
  const ViaLine* via = nullptr;          // Null: no Via from us.
  std::string_view host_if_absent = {};  // For HTTP/1.0 clients without Host.
  http::ForwardedFormat format = http::ForwardedFormat::kXForwarded;
  // The X-Forwarded-Proto that came, if one did, is believed.
  bool keep_proto = false;
  // Whole lines, each with its CR LF.
  std::string_view further_lines = {};
  // Whose certificate the client showed: a whole line, or nothing.
  std::string_view certificate_line = {};
};

// The head for the server: HTTP/1.1, origin-form, Host first, hop-by-hop headers gone, framing from head.body. Passes
// an upgrade on if head.upgrade is set. No Connection header otherwise, so the server's connection is kept alive.
std::optional<size_t> write_request_head(const http::RequestHead& head, const RequestOptions& options,
                                         std::span<char> out);

struct ResponseOptions {
  http::Version client_version = http::Version::kHttp11;
  // The client's connection ends after this response.
  bool close = false;
  const ViaLine* via = nullptr;  // Null: no Via from us.
  // "Date: ...", CR LF: sent if the server gave none (RFC 9110 section 6.6.1). Empty: none.
  std::string_view date_line = {};
  // Whole lines of ours, each with its CR LF.
  std::string_view further_lines = {};
  std::string_view route_lines = {};
};

// How a response's body goes to the client: chunks become bytes until close for HTTP/1.0, and a body of unknown length
// becomes chunks for HTTP/1.1. Where the result is kUntilClose the client's connection must close after it, and
// write_response_head says so to the client by itself.
http::BodyFraming framing_for_client(const http::ResponseHead& head, http::Version client);

// The head for the client, interim ones and 101 as well. Interim heads must not be written for HTTP/1.0 clients.
std::optional<size_t> write_response_head(const http::ResponseHead& head, const ResponseOptions& options,
                                          std::span<char> out);

// A response of our own.
struct LocalReply {
  struct Body {
    // Of a body with bytes; empty: not said.
    std::string_view content_type;
    std::string_view text;
  };

  int status = 500;
  bool close = true;
  // The request was HEAD: no body follows.
  bool head_only = false;
  http::Version client_version = http::Version::kHttp11;
  std::string_view date_line = {};  // As in ResponseOptions.
  // Retry-After, for 429 and 503; 0: none.
  uint32_t retry_after_seconds = 0;
  // Unset: a line of text that says the status.
  std::optional<Body> body = {};
  // Whole lines, each with its CR LF.
  std::string_view further_lines = {};
};

// The whole response. Those with status 204 and 304 have no body.
std::optional<size_t> write_local_reply(const LocalReply& reply, std::span<char> out);

// "http" or "https", as the lines say it.
std::string_view scheme_of(const ForwardedLines& client);

// Whether a Via header names `name` as one who received the message: it went in a circle.
bool via_names(const http::HeaderList& headers, std::string_view name);

}  // namespace fairlead::codec
