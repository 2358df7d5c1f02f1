// The digest as a client computes it: from the words of the schema (GetInfoResponse.digest) and the messages alone,
// with nothing of the data plane's.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "fairlead/v1/resources.pb.h"
#include "google/protobuf/message.h"

namespace fairlead::management {

// A resource's message in its one serialization. Also of messages within.
std::string canonical_bytes(const google::protobuf::Message& message);

class ClientDigest {
 public:
  void add(const v1::Listener& listener) { add(1, listener); }
  void add(const v1::Backend& backend) { add(2, backend); }
  void add(const v1::Server& server) { add(3, server); }
  std::string bytes() const;

 private:
  void add(uint8_t kind, const google::protobuf::Message& message);

  std::array<uint64_t, 4> sum_{};
};

std::string digest_of(const v1::Resources& resources);

}  // namespace fairlead::management
