// What a transport holds while it shakes hands, and when it is settled. For transport*.cc alone.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "tls/traffic.h"
#include "tls/transport.h"

namespace fairlead::tls {

struct Transport::Secrets {
  Secret client;
  Secret server;
  bool are_tickets_counted = false;
  uint64_t tickets = 0;

  // "LABEL random secret", the last two in hexadecimal digits; what is none of the two is passed over.
  void note(std::string_view line);
  bool are_complete() const { return client.size > 0 && server.size == client.size && are_tickets_counted; }
};

struct Transport::Settled {
  // A peer that says so much without a byte for our user is up to no good: a record is at most half of that.
  static constexpr size_t kSilentBytesMax = 32 * 1024;

  Settled(RecordCiphers& ciphers, Suite suite, const Secrets& secrets)
      : traffic(ciphers, suite, secrets.client, secrets.server, secrets.tickets) {}

  // Records of all of it, and what else is to be said, into `out`. How many bytes.
  size_t write(std::string_view plain, std::span<char> out);
  bool has_unread(std::string_view input) const {
    return !plain_left.empty() || peer_ended || Traffic::whole_record(input).has_value();
  }

  Traffic traffic;
  std::string server_name;
  // Of a record whose bytes did not all find room.
  std::unique_ptr<char[]> plain;
  std::string_view plain_left;
  bool was_resumed = false;
  // As it has said, or without a word.
  bool peer_ended = false;
};

}  // namespace fairlead::tls
