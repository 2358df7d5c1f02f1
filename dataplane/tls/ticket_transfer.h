// Listeners' ticket keys on their way to the process that takes over: text, a line for each listener.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "tls/ticket_keys.h"

namespace fairlead::tls {

struct ListenerTickets {
  // The listener's, and the version in which it last changed: of another one they open nothing.
  uint64_t uid = 0;
  uint64_t version = 0;
  // Newest first; none where it makes no tickets.
  std::vector<TicketKeys::Key> keys;
};

// "UID VERSION KEY KEY...", a key as the nanoseconds of the monotonic clock when it was made, a colon, and its bytes in
// hex: name, encryption, authentication.
std::string write_tickets(std::span<const ListenerTickets> listeners);
absl::StatusOr<std::vector<ListenerTickets>> read_tickets(std::string_view text);

}  // namespace fairlead::tls
