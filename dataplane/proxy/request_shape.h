// What a listener makes of a request before it is routed, where it says anything about that: the spelling of its path,
// the size of its body, who sent it.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "proxy/exchange_state.h"

namespace fairlead::proxy {

// Whom a request is from, for keys, persistence and limits; see Client::address() and Client::source().
struct Sender {
  std::string_view address;
  uint64_t source = 0;
};

// Whom the last of `hops` trusted proxies names in X-Forwarded-For, of which what nobody vouches for is left out from
// then on. Nothing where they name nobody.
std::optional<Sender> take_named_sender(http::HeaderList& headers, uint32_t hops);

// Changes context.request. `sender` is the connection's peer, and comes back as whom trusted proxies name, in bytes of
// the head.
FaultOrNull shape_request(ExchangeState& x, Sender& sender);

}  // namespace fairlead::proxy
