// Which of a name's addresses each server has. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "config/endpoint.h"

namespace fairlead::store {

// A server of one backend that has the name.
struct NameHolder {
  std::string server;
  // What it has now; with its port. Unset: none.
  std::optional<config::Endpoint> address;
  uint16_t port = 0;
};

// `addresses`: what there is, without ports, the first `present` of them for who has none. A holder keeps what it has
// as long as it is there. Others get the addresses that fewest have, and of several the one that a hash of both says
// (rendezvous), so that data planes agree and one server's address does not hang on the order in which nameservers tell
// them. Where nobody has an address that others share, one of these moves there. In the order of holders; unset where
// there is no address.
std::vector<std::optional<config::Endpoint>> choose_addresses(const std::vector<config::Endpoint>& addresses,
                                                              size_t present, const std::vector<NameHolder>& holders);

}  // namespace fairlead::store
