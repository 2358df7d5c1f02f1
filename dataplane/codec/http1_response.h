// The head of an HTTP/1 response from a server (RFC 9112), as strict as for requests.
#pragma once

#include <string_view>

#include "codec/head_result.h"
#include "http/head.h"

namespace fairlead::codec {

// What the request was decides what a response means (RFC 9112 section 6.3).
struct ResponseContext {
  http::Method method = http::Method::kGet;
  // The protocols that the request as it was sent on asked for: a 101 to any other is refused (RFC 9110 section 7.8).
  std::string_view upgrade_asked = {};
};

// As parse_request_head. Interim heads (100, 102, 103) are heads of their own: the caller bounds their number and
// parses on behind them. Every refusal means 502 and a server connection that is not used again.
HeadResult parse_response_head(std::string_view bytes, const HeadLimits& limits, const ResponseContext& context,
                               http::ResponseHead& head);

}  // namespace fairlead::codec
