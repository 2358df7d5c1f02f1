// The steps of an exchange from the client to the server. Each says what went wrong, or null.
#pragma once

#include "proxy/exchange_state.h"
#include "runtime/task.h"

namespace fairlead::proxy {

// Where the request goes, and whether it goes anywhere.
FaultOrNull find_backend(ExchangeState& x, const http::RequestHead& head);
// Writes the head anew into x.out, and behind it what has come of the body. From here on the parsed head is not looked
// at.
FaultOrNull write_request(ExchangeState& x, const http::RequestHead& head);
// Takes a lease, on a server that was not tried yet if there is one.
FaultOrNull pick_server(ExchangeState& x);
// After kAllFull: takes a lease as soon as there is a place.
runtime::Task<FaultOrNull> wait_for_server(ExchangeState& x);
runtime::Task<FaultOrNull> open_connection(ExchangeState& x);

// Sends what stands in x.out: most often all of it at once, without an await. What is left of it then is sent by
// send_rest().
FaultOrNull send_at_once(ExchangeState& x, std::string_view& rest);
runtime::Task<FaultOrNull> send_rest(ExchangeState& x, std::string_view rest);

// The rest of the request's body goes on beside the response, until end_upload().
void begin_upload(ExchangeState& x);
runtime::Task<void> end_upload(ExchangeState& x);

// Of a request's body that could not be read on: it is malformed, or too large.
const Fault& body_fault(const ExchangeState& x);
// Of a server that broke before its response began.
const Fault& broken_before_response(upstream::Lease& lease, bool answer_begun);

}  // namespace fairlead::proxy
