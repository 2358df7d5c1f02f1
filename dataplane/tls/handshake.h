// co_await handshake(...): the beginning of a TLS connection.
#pragma once

#include "net/stream.h"
#include "runtime/task.h"
#include "tls/transport.h"

namespace fairlead::tls {

enum class Outcome : uint8_t { kDone, kRefused, kGone, kTimedOut };

// As a server: waits for the client's whole hello without holding anything for it, then goes through the handshake.
// Where it is done the stream's bytes are what is inside, and `transport` is the channel's.
struct Accepted {
  Outcome outcome = Outcome::kGone;
  Transport* transport = nullptr;
};
runtime::Task<Accepted> accept(net::Stream& stream, Worker& worker, std::shared_ptr<const ServerContext> context,
                               runtime::TimePoint deadline);

// As a client, on a stream that is connected. Where it does not succeed the error is kHandshake for what the two sides
// could not agree on, and `problem`, if any, gets the reason. `last` and `alpn` as in Transport.
struct ClientSide {
  std::shared_ptr<const ClientContext> context;
  config::Endpoint address;
  LastSession* last = nullptr;
  std::string alpn;
};
runtime::Task<net::IoResult<void>> connect(net::Stream& stream, Worker& worker, ClientSide side,
                                           runtime::TimePoint deadline, std::string* problem = nullptr);

}  // namespace fairlead::tls
