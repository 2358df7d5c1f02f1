// What a listener makes of a request before it is routed, where it says anything about that: the spelling of its path,
// the size of its body, who sent it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "proxy/exchange_state.h"

namespace fairlead::proxy {

// Whom a request is from, for keys, persistence and limits; see Client::address() and Client::source().
struct Sender {
  std::string_view address;
  uint64_t source = 0;
};

// Whom the last of `hops` trusted proxies names in X-Forwarded-For; nothing where they name nobody. `spelled` becomes
// the address.
std::optional<Sender> named_sender(const http::HeaderList& headers, uint32_t hops, std::string& spelled);

// Changes context.request. `sender` is the connection's peer, and comes back as whom trusted proxies name, in the
// context's memory.
FaultOrNull shape_request(ExchangeState& x, Sender& sender);

}  // namespace fairlead::proxy
