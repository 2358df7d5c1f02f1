// The first thing that a TLS client says, read without answering: whom it wants. For passing connections on.
//
// TLS 1.0 to 1.3 (RFC 8446 section 4.1.2, RFC 6066 section 3, RFC 7301); the handshake message may be spread over
// records as the client likes. Pure; nothing is allocated.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string_view>

namespace fairlead::codec {

// A hello that is longer is refused: no client needs as much.
inline constexpr size_t kMaxClientHello = 16 * 1024;

struct ClientHello {
  // In the client's spelling; empty where it names none.
  std::string_view server_name;
  // The list as it stands in the extension: each with its size before it. Well-formed.
  std::string_view protocols;

  bool offers(std::string_view protocol) const;
};

enum class HelloState { kComplete, kIncomplete, kMalformed };

// Reads what has come. Complete: `hello` has views into `memory`, where the message is put together.
HelloState parse_client_hello(std::string_view bytes, std::span<char, kMaxClientHello> memory, ClientHello& hello);

}  // namespace fairlead::codec
