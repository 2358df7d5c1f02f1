// Passing bytes on: bodies by their framing, and bare streams.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string_view>

#include "codec/body.h"
#include "net/buffer.h"
#include "net/stream.h"
#include "proxy/pace.h"
#include "runtime/task.h"

namespace fairlead::proxy {

// How a relay ended, and on which side.
enum class RelayEnd : uint8_t {
  kDone,
  // The source broke the framing of its body.
  kMalformed,
  // The source ended before its body did.
  kTruncated,
  kSourceTimedOut,
  kSourceTooSlow,
  kSourceFailed,
  kSinkTimedOut,
  kSinkTooSlow,
  kSinkFailed,
};

// Bytes that passed, counted as they do: for a backend, for a server, and for this exchange.
struct ByteCounters {
  uint64_t& backend;
  uint64_t& server;
  uint64_t& exchange;
  void add(size_t count) {
    backend += count;
    server += count;
    exchange += count;
  }
};

// Moves what there is of a body from `from` to `to`, framed anew (in chunks where `chunked`), as far as it fits. The
// error is the decoder's.
struct MovedBody {
  std::string_view error;
};
MovedBody move_body(codec::BodyDecoder& decoder, net::Buffer& from, net::Buffer& to, bool chunked);

// What is passed on of a body, kept behind what stands in `bytes`, for as long as that is not much.
struct KeptBody {
  // What stow() makes small.
  static constexpr size_t kMost = net::kBufferSize / 2;

  net::Buffer& bytes;
  bool is_on = false;
  void add(std::initializer_list<std::string_view> pieces);
};

// Passes the rest of a body on as it comes: reads from `source` into `buffer` only when all before it is written, so a
// slow sink slows its source down. Holds memory only while it has bytes.
struct BodyRelay {
  codec::BodyDecoder& decoder;
  net::Buffer& buffer;
  net::Stream& source;
  net::Stream& sink;
  bool chunked = false;
  // Without progress.
  runtime::Duration source_timeout;
  runtime::Duration sink_timeout;
  ByteCounters bytes;
  // How slow the client may be, which is one of the two; null for the other.
  Pace* source_pace = nullptr;
  Pace* sink_pace = nullptr;
  KeptBody* kept = nullptr;
};
runtime::Task<RelayEnd> relay_body(BodyRelay relay);

// Passes bytes on in both directions until both have ended; an end in one direction is passed on and leaves the other
// open. Ends when neither direction has made progress for `idle_timeout`. What the buffers hold is sent first.
struct Tunnel {
  net::Stream& client;
  net::Buffer& from_client;
  ByteCounters client_bytes;
  net::Stream& server;
  net::Buffer& from_server;
  ByteCounters server_bytes;
  runtime::Duration idle_timeout;
};
enum class TunnelEnd : uint8_t { kDone, kTimedOut, kClientFailed, kServerFailed };
runtime::Task<TunnelEnd> run_tunnel(Tunnel tunnel);
// For the access log.
std::string_view cause_of(TunnelEnd end);

}  // namespace fairlead::proxy
