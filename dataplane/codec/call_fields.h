// What the header blocks of one answer over HTTP/2 say of how a call went: `:status` and `grpc-status`, and nothing
// else.
//
// No decoder of RFC 7541 to build on: neither field can stand in the dynamic table where a connection carries one call,
// `:status` because the static table has it and `grpc-status` because it comes once. So nothing is remembered,
// references to that table are passed over, and of Huffman's code only the letters of these fields are known.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace fairlead::codec {

struct CallFields {
  std::optional<uint32_t> http_status;
  std::optional<uint32_t> grpc_status;
};

// Of one whole block. Nothing: it is malformed.
std::optional<CallFields> read_call_fields(std::string_view block);

}  // namespace fairlead::codec
