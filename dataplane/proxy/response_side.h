// The steps of an exchange from the server to the client. Each says what went wrong, or null.
#pragma once

#include "proxy/exchange_state.h"
#include "runtime/task.h"

namespace fairlead::proxy {

// Reads until the final response's head stands parsed in context.response, at the beginning of x.reply; `head_size` is
// how long it is. Passes interim ones on.
runtime::Task<FaultOrNull> await_response(ExchangeState& x, size_t& head_size);

// What the response's head says about what follows; the head itself is gone with the next await.
struct Answer {
  explicit Answer(ExchangeState& x);

  const uint16_t status;
  const http::BodyFraming framing;  // for the client
  // The client's connection ends after it.
  const bool close;
  // The server's connection can carry another exchange, for so long.
  const bool reusable;
  const runtime::Duration keep_for;
  codec::BodyDecoder body;

  bool chunked() const { return framing.kind == http::BodyKind::kChunked; }
};

// Writes the head anew into x.out, and behind it what has come of the body.
FaultOrNull write_answer(ExchangeState& x, size_t head_size, Answer& answer);
// The rest of the body, which is not done.
runtime::Task<FaultOrNull> relay_answer(ExchangeState& x, Answer& answer);
// The protocol was switched: bytes go both ways until both sides have ended. Returns how that came.
runtime::Task<std::string_view> run_upgraded(ExchangeState& x);

}  // namespace fairlead::proxy
