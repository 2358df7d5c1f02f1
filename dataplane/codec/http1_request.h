// The head of an HTTP/1 request (RFC 9112), strictly: what two readers could understand differently is refused.
#pragma once

#include <string_view>

#include "codec/head_result.h"
#include "http/head.h"

namespace fairlead::codec {

// Parses the head at the start of `bytes` into `head`, whose views point into `bytes`. Pure: it keeps nothing, so after
// kIncomplete the caller reads more and calls again with all bytes from the first on. The outcome is the same however
// the bytes come, and a fault is refused as soon as the bytes decide it. `head` means something only after kComplete.
//
// Choices, where the RFCs leave one: one empty line before the request is ignored; line ends are CR LF only; no
// obs-fold; Content-Length is one plain decimal number, given once; Transfer-Encoding is `chunked` alone; absolute-form
// needs an equal Host; CONNECT and TRACE get 405; names that become framing or forwarding headers when '_' is read as
// '-' get 400. HeadLimits::quirks relaxes some of that.
//
// For the status of a refusal: 400 malformed, 405 method, 414 target over the limit, 417 expectation, 431 head over the
// limit or too many headers, 501 method or transfer coding that we do not have, 505 version.
HeadResult parse_request_head(std::string_view bytes, const HeadLimits& limits, http::RequestHead& head);

}  // namespace fairlead::codec
