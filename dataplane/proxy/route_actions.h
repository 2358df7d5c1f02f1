// What a route does to a request and its response, where it does more than naming a backend.
#pragma once

#include "proxy/exchange.h"
#include "proxy/exchange_state.h"
#include "runtime/task.h"

namespace fairlead::proxy {

// Requires that x.actions answers by itself. Looks at context.request before it waits.
runtime::Task<After> answer_by_route(ExchangeState& x);

// Path, host and headers of context.request, as servers get them; the lines that come beside them are in x.actions.
void change_request(ExchangeState& x);
// Headers of context.response.
void change_response(ExchangeState& x);

// Sends a response of our own and says what becomes of the client's connection.
runtime::Task<After> send_local_reply(ExchangeState& x, codec::LocalReply reply);

}  // namespace fairlead::proxy
