#include "tls/handshake.h"

#include <memory>
#include <utility>

namespace fairlead::tls {
namespace {

Outcome outcome_of(net::IoError error) {
  return error == net::IoError::kTimedOut ? Outcome::kTimedOut : Outcome::kGone;
}

using Shaken = net::IoResult<Transport::Step>;

// kDone or kFailed; an error where the time or the other side is over.
runtime::Task<Shaken> shake(net::Stream& stream, Worker& worker, Transport& transport, runtime::TimePoint deadline) {
  while (true) {
    co_await worker.turn();
    Transport::Step step = transport.handshake();
    if (step == Transport::Step::kDone || step == Transport::Step::kFailed) co_return step;
    net::IoResult<void> ready;
    if (step == Transport::Step::kWantsRead) {
      ready = co_await stream.readable(deadline);
    } else {
      ready = co_await stream.writable(deadline);
    }
    if (!ready) co_return std::unexpected(ready.error());
  }
}

}  // namespace

runtime::Task<Accepted> accept(net::Stream& stream, Worker& worker, std::shared_ptr<const ServerContext> context,
                               runtime::TimePoint deadline) {
  auto first = co_await stream.readable(deadline);
  if (!first) co_return Accepted{outcome_of(first.error())};
  auto made = std::make_unique<Transport>(stream.channel(), worker, std::move(context));
  Transport* transport = made.get();
  stream.channel().set_transport(std::move(made));
  Shaken shaken = co_await shake(stream, worker, *transport, deadline);
  if (!shaken) co_return Accepted{outcome_of(shaken.error())};
  if (*shaken == Transport::Step::kFailed) co_return Accepted{Outcome::kRefused};
  co_return Accepted{Outcome::kDone, transport};
}

runtime::Task<net::IoResult<void>> connect(net::Stream& stream, Worker& worker, ClientSide side,
                                           runtime::TimePoint deadline, std::string* problem) {
  auto made = std::make_unique<Transport>(stream.channel(), worker, std::move(side.context), side.address, side.last,
                                          side.alpn);
  Transport* transport = made.get();
  stream.channel().set_transport(std::move(made));
  Shaken shaken = co_await shake(stream, worker, *transport, deadline);
  if (!shaken) co_return std::unexpected(shaken.error());
  if (*shaken == Transport::Step::kDone) co_return net::IoResult<void>{};
  if (problem) *problem = transport->problem();
  co_return std::unexpected(net::IoError::kHandshake);
}

}  // namespace fairlead::tls
