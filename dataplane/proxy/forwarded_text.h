// What servers are told of clients, made when it is asked for: a connection that waits keeps no text. One thread.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "codec/http1_writer.h"
#include "config/network.h"

namespace fairlead::proxy {

// In the order in which they are sent; of IPv4 the last four.
std::array<uint8_t, 16> bytes_of(config::IpNumber ip);

class ForwardedText {
 public:
  // Of the client with this address (unset: a Unix socket), and whether it speaks TLS. Valid until the next call. That
  // of the last client is kept: behind another proxy many have the same.
  const codec::ForwardedLines& of(std::optional<config::IpNumber> ip, bool is_tls) {
    const Key key{.ip = ip.value_or(0), .has_ip = ip.has_value(), .is_tls = is_tls};
    if (!is_made_ || key != key_) make(key);
    return lines_;
  }

 private:
  struct Key {
    config::IpNumber ip = 0;
    bool has_ip = false;
    bool is_tls = false;
    bool operator==(const Key&) const = default;
  };
  void make(const Key& key);

  bool is_made_ = false;
  Key key_;
  codec::ForwardedLines lines_;
  std::array<char, codec::kMaxForwardedLines> memory_;
};

}  // namespace fairlead::proxy
