// The first message of TLS clients: however much of it has come, nothing is read beside it, and what is known stays.
#include <algorithm>
#include <array>
#include <string>

#include "codec/client_hello.h"
#include "targets.h"

namespace fairlead {
namespace {

using codec::ClientHello;
using codec::HelloState;

struct Read {
  HelloState state;
  std::string server_name;
  std::string protocols;
};

Read read(std::string_view input) {
  static std::array<char, codec::kMaxClientHello> memory;
  const Alone in(input);
  ClientHello hello;
  HelloState state = codec::parse_client_hello(in.text(), memory, hello);
  if (state != HelloState::kComplete) return {state, "", ""};
  demand(hello.server_name.find('\0') == std::string_view::npos, "a host has no NUL");
  demand(!hello.offers(""), "no protocol is empty");
  return {state, std::string(hello.server_name), std::string(hello.protocols)};
}

}  // namespace

void fuzz_client_hello(std::string_view input) {
  const Read whole = read(input);
  // Long ones at some places only.
  const size_t step = std::max<size_t>(input.size() / 64, 1);
  for (size_t size = 0; size < input.size(); size += step) {
    const Read part = read(input.substr(0, size));
    if (part.state == HelloState::kIncomplete) continue;
    demand(part.state == whole.state, "what follows changes nothing");
    demand(part.server_name == whole.server_name && part.protocols == whole.protocols, "what follows changes no name");
  }
}

}  // namespace fairlead
