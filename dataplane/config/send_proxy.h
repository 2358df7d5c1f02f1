// What servers are told of a client by the PROXY protocol.
#pragma once

#include <cstdint>

namespace fairlead::config {

enum class ProxyHeader : uint8_t { kV1, kV2 };

struct SendProxyProtocol {
  ProxyHeader version = ProxyHeader::kV1;
  // These of version 2 only.
  bool crc32c = false;
  bool authority = false;
  bool unique_id = false;

  bool operator==(const SendProxyProtocol&) const = default;
};

}  // namespace fairlead::config
