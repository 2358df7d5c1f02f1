// Why an exchange, or one try of it, fails: all causes that there are, with what the client is told.
#pragma once

#include <cstdint>
#include <string_view>

#include "observe/counters.h"

namespace fairlead::proxy {

// Whether another server may be tried after a fault.
enum class Retry : uint8_t {
  kNever,
  // Nothing has reached a server.
  kSafe,
  // The server may have seen the request: only where doing it twice is doing it once.
  kIfIdempotent,
  // Where the backend's policy chooses it: these are config::RetryCondition's, of which nothing has reached a server in
  // the first two,
  kConnectFailure,
  kRefused,
  kReset,
  kEmptyResponse,
  kTimeout,
  kBadResponse,
  // and the statuses that it lists.
  kStatus,
};

struct Fault {
  // 0: the client can be told nothing.
  uint16_t status;
  observe::Failure failure;
  Retry retry;
  // For the access log.
  std::string_view cause;
};

namespace faults {

using observe::Failure;

// The request comes back to us, or goes nowhere.
inline constexpr Fault kLoop{508, Failure::kClient, Retry::kNever, "request_loop"};
inline constexpr Fault kNoRoute{404, Failure::kNoServer, Retry::kNever, "no_route"};
inline constexpr Fault kNoBackend{503, Failure::kNoServer, Retry::kNever, "backend_deleted"};
inline constexpr Fault kNoServer{503, Failure::kNoServer, Retry::kNever, "no_eligible_server"};
inline constexpr Fault kAllFull{503, Failure::kFull, Retry::kNever, "all_servers_full"};
inline constexpr Fault kTooManyRequests{503, Failure::kFull, Retry::kNever, "too_many_requests"};
inline constexpr Fault kTooManyConnections{503, Failure::kFull, Retry::kNever, "too_many_connections"};
inline constexpr Fault kQueueFull{503, Failure::kFull, Retry::kNever, "queue_full"};
inline constexpr Fault kQueueTimeout{503, Failure::kFull, Retry::kNever, "queue_timeout"};
// No fault of anybody's: the request is for us, and OPTIONS asks for no more than that (RFC 9110 section 7.6.2).
inline constexpr Fault kLastHop{200, Failure::kClient, Retry::kNever, "max_forwards"};

// No fault either: the route's own answer takes the place of a server's.
inline constexpr Fault kAnsweredByRoute{0, Failure::kClient, Retry::kNever, "answered_by_route"};

// Not now: a limit for requests in a time.
inline constexpr Fault kRateLimited{429, Failure::kClient, Retry::kNever, "rate_limited"};

// The client's.
inline constexpr Fault kHeadTooLarge{431, Failure::kClient, Retry::kNever, "head_too_large_to_forward"};
inline constexpr Fault kPathRefused{400, Failure::kClient, Retry::kNever, "path_refused"};
inline constexpr Fault kBodyTooLarge{413, Failure::kClient, Retry::kNever, "request_body_too_large"};
inline constexpr Fault kBadBody{400, Failure::kClient, Retry::kNever, "malformed_request_body"};
inline constexpr Fault kClientSlow{408, Failure::kClient, Retry::kNever, "request_body_timeout"};
inline constexpr Fault kClientTooSlow{408, Failure::kClient, Retry::kNever, "request_body_too_slow"};
inline constexpr Fault kReadsTooSlowly{0, Failure::kClient, Retry::kNever, "response_too_slow"};
inline constexpr Fault kClientGone{0, Failure::kClient, Retry::kNever, "client_gone"};

// Before the server has seen anything.
inline constexpr Fault kConnectRefused{503, Failure::kConnect, Retry::kRefused, "connect_failed"};
inline constexpr Fault kConnectFailed{503, Failure::kConnect, Retry::kConnectFailure, "connect_failed"};
// It is not to be believed, or speaks no TLS that we do.
inline constexpr Fault kHandshakeFailed{502, Failure::kConnect, Retry::kConnectFailure, "server_tls_failed"};
inline constexpr Fault kConnectTimeout{504, Failure::kTimeout, Retry::kConnectFailure, "connect_timeout"};
inline constexpr Fault kCutOffConnecting{503, Failure::kConnect, Retry::kSafe, "drain_deadline"};
inline constexpr Fault kNothingSent{502, Failure::kResponse, Retry::kSafe, "send_failed"};

// Before its response began.
inline constexpr Fault kCutOff{503, Failure::kResponse, Retry::kNever, "drain_deadline"};
inline constexpr Fault kResponseTimeout{504, Failure::kTimeout, Retry::kTimeout, "response_timeout"};
inline constexpr Fault kClosedWhileReused{502, Failure::kResponse, Retry::kIfIdempotent, "closed_before_response"};
inline constexpr Fault kClosedEarly{502, Failure::kResponse, Retry::kReset, "closed_before_response"};
inline constexpr Fault kEmptyResponse{502, Failure::kResponse, Retry::kEmptyResponse, "closed_before_response"};
inline constexpr Fault kSendFailed{502, Failure::kResponse, Retry::kReset, "send_failed"};
inline constexpr Fault kBadResponse{502, Failure::kResponse, Retry::kBadResponse, "malformed_response"};
// Ends a try only where another follows.
inline constexpr Fault kUnwelcomeStatus{502, Failure::kResponse, Retry::kStatus, "retried_status"};
inline constexpr Fault kTooManyInterim{502, Failure::kResponse, Retry::kNever, "too_many_interim_responses"};

// When a part of an interim one was sent: what follows would be taken for the rest of it.
inline constexpr Fault kCutOffInterim{0, Failure::kResponse, Retry::kNever, "drain_deadline"};

// In its body.
inline constexpr Fault kResponseCut{0, Failure::kResponse, Retry::kNever, "response_incomplete"};
inline constexpr Fault kResponseStalled{0, Failure::kTimeout, Retry::kNever, "response_body_timeout"};

}  // namespace faults

// The connection to the server could not be made, or did not hold.
constexpr bool is_of_connection(const Fault& fault) {
  switch (fault.retry) {
    case Retry::kConnectFailure:
    case Retry::kRefused:
    case Retry::kReset:
    case Retry::kEmptyResponse:
      return true;
    default:
      return &fault == &faults::kResponseCut;
  }
}

// Null: no fault. One of those above, else.
using FaultOrNull = const Fault*;

}  // namespace fairlead::proxy
