// What HASH goes by: the key of a request or a connection, as a number.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "balancing/balancer.h"
#include "config/model.h"
#include "http/head.h"

namespace fairlead::proxy {

// Empty where the request has none of the key's fields. `head`: null for a TCP connection. `source`: the client's
// address, as Client::address().
balancing::Key key_of(const config::HashSettings& settings, const http::RequestHead* head, std::string_view source);
// By XXH64, whatever hashing is set.
balancing::Key key_of(const config::HashKey& key, const http::RequestHead* head, std::string_view source);
// The text that is hashed, for people.
std::optional<std::string> key_text_of(const config::HashKey& key, const http::RequestHead* head,
                                       std::string_view source);

}  // namespace fairlead::proxy
