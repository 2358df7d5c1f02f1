#include "tls/handshake.h"

#include <array>
#include <cerrno>
#include <memory>
#include <string_view>
#include <utility>

namespace fairlead::tls {
namespace {

Outcome outcome_of(net::IoError error) {
  return error == net::IoError::kTimedOut ? Outcome::kTimedOut : Outcome::kGone;
}

using Shaken = net::IoResult<Transport::Step>;

// Whether a handshake has something to begin with: the client's whole hello, or what is none. OpenSSL would hold some
// 50 KB for the first byte of one.
bool is_whole_hello(std::string_view bytes) {
  constexpr size_t kLongest = 16 * 1024;
  constexpr size_t kRecordHeader = 5, kMessageHeader = 4;
  constexpr char kHandshakeRecord = 22;
  auto byte = [&](size_t at) { return static_cast<size_t>(static_cast<uint8_t>(bytes[at])); };
  if (bytes.size() >= kLongest) return true;
  // That of SSL 2 says its length first.
  if (bytes[0] != kHandshakeRecord) {
    return (byte(0) & 0x80) == 0 || (bytes.size() >= 2 && bytes.size() >= 2 + ((byte(0) & 0x7f) << 8 | byte(1)));
  }
  // It may come in any number of records.
  std::array<size_t, kMessageHeader> header{};
  size_t message = 0;
  size_t at = 0;
  while (bytes.size() >= at + kRecordHeader) {
    if (bytes[at] != kHandshakeRecord) return true;
    const size_t size = byte(at + 3) << 8 | byte(at + 4);
    if (size == 0 || size >= kLongest) return true;
    if (bytes.size() < at + kRecordHeader + size) return false;
    for (size_t i = message; i < kMessageHeader && i < message + size; ++i) {
      header[i] = byte(at + kRecordHeader + i - message);
    }
    message += size;
    at += kRecordHeader + size;
    const size_t length = header[1] << 16 | header[2] << 8 | header[3];
    if (message >= kMessageHeader && (message >= kMessageHeader + length || length >= kLongest)) return true;
  }
  return false;
}

// Until there is one, which stays in the socket.
runtime::Task<Outcome> wait_for_hello(net::Stream& stream, Worker& worker, runtime::TimePoint deadline) {
  runtime::Channel& channel = stream.channel();
  while (true) {
    auto readable = co_await stream.readable(deadline);
    if (!readable) co_return outcome_of(readable.error());
    const ssize_t count = channel.try_peek(worker.in());
    if (count == -EAGAIN) continue;
    if (count <= 0) co_return Outcome::kGone;
    if (is_whole_hello({worker.in().data(), static_cast<size_t>(count)})) break;
    if (channel.end_of_input()) co_return Outcome::kGone;
  }
  channel.assume_readable();
  co_return Outcome::kDone;
}

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
  Outcome hello = co_await wait_for_hello(stream, worker, deadline);
  if (hello != Outcome::kDone) co_return Accepted{hello};
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
