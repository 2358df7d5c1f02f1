#include "proxy/relay.h"

#include <algorithm>
#include <cerrno>
#include <optional>

#include "runtime/scope.h"

namespace fairlead::proxy {
namespace {

// A chunk's line and its end.
constexpr size_t kChunkOverhead = 18 + codec::kChunkEnd.size() + codec::kLastChunk.size();

using runtime::TimePoint;

TimePoint now(const BodyRelay& relay) { return relay.source.loop().now(); }

TimePoint read_until(const BodyRelay& relay) {
  const TimePoint deadline = now(relay) + relay.source_timeout;
  return relay.source_pace ? relay.source_pace->read_until(now(relay), deadline) : deadline;
}

TimePoint written_by(const BodyRelay& relay, size_t bytes) {
  return relay.sink_pace ? relay.sink_pace->written_by(now(relay), bytes) : runtime::kNever;
}

void note_moved(const BodyRelay& relay, Pace* pace, TimePoint began, size_t bytes) {
  if (pace) pace->moved(bytes, now(relay) - began);
}

RelayEnd source_failed(const BodyRelay& relay, net::IoError error, TimePoint began) {
  if (error != net::IoError::kTimedOut) return RelayEnd::kSourceFailed;
  const bool is_slow = relay.source_pace && relay.source_pace->has_run_out(began, now(relay));
  return is_slow ? RelayEnd::kSourceTooSlow : RelayEnd::kSourceTimedOut;
}

RelayEnd sink_failed(const BodyRelay& relay, net::IoError error, TimePoint began, size_t bytes) {
  if (error != net::IoError::kTimedOut) return RelayEnd::kSinkFailed;
  const bool is_slow = relay.sink_pace && relay.sink_pace->has_run_out(began, now(relay), bytes);
  return is_slow ? RelayEnd::kSinkTooSlow : RelayEnd::kSinkTimedOut;
}

}  // namespace

MovedBody move_body(codec::BodyDecoder& decoder, net::Buffer& from, net::Buffer& to, bool chunked) {
  while (!decoder.done()) {
    size_t free = to.room().size();
    if (free <= kChunkOverhead) return {};
    // No more than fits: the decoder gives at most as many body bytes as it was shown.
    auto progress = decoder.decode(from.unread().substr(0, free - kChunkOverhead));
    if (!progress.error.empty()) return {progress.error};
    if (!progress.data.empty()) {
      if (chunked) to.append(codec::ChunkLine(progress.data.size()).text());
      to.append(progress.data);
      if (chunked) to.append(codec::kChunkEnd);
    }
    if (progress.done && chunked) to.append(codec::kLastChunk);
    from.consume(progress.consumed);
    if (progress.consumed == 0) return {};
  }
  return {};
}

void KeptBody::add(std::initializer_list<std::string_view> pieces) {
  if (!is_on) return;
  size_t size = bytes.size();
  for (std::string_view piece : pieces) size += piece.size();
  if (size > kMost) {
    is_on = false;
    return bytes.release();
  }
  for (std::string_view piece : pieces) {
    if (!piece.empty()) bytes.append(piece);
  }
  bytes.stow();
}

runtime::Task<RelayEnd> relay_body(BodyRelay relay) {
  while (true) {
    const TimePoint began = now(relay);
    auto progress = relay.decoder.decode(relay.buffer.unread());
    if (!progress.error.empty()) co_return RelayEnd::kMalformed;
    bool has_data = !progress.data.empty();
    if (has_data || (progress.done && relay.chunked)) {
      std::optional<codec::ChunkLine> line;
      std::string_view before;
      std::string_view after;
      if (relay.chunked) {
        if (has_data) before = line.emplace(progress.data.size()).text();
        after = progress.done ? (has_data ? codec::kChunkEndAndLastChunk : codec::kLastChunk) : codec::kChunkEnd;
      }
      const size_t size = progress.data.size();
      if (relay.kept) relay.kept->add({before, progress.data, after});
      auto written =
          co_await relay.sink.write_all({before, progress.data, after}, relay.sink_timeout, written_by(relay, size));
      if (!written) co_return sink_failed(relay, written.error(), began, size);
      relay.bytes.add(size);
      note_moved(relay, relay.sink_pace, began, size);
    }
    relay.buffer.consume(progress.consumed);
    if (progress.done) co_return RelayEnd::kDone;
    if (!relay.buffer.empty() && progress.consumed > 0) continue;

    const TimePoint asked = now(relay);
    if (relay.buffer.empty()) {
      relay.buffer.release();
      auto readable = co_await relay.source.readable(read_until(relay));
      if (!readable) co_return source_failed(relay, readable.error(), asked);
    }
    auto count = co_await relay.source.read_some(relay.buffer.room(), read_until(relay));
    if (!count) co_return source_failed(relay, count.error(), asked);
    note_moved(relay, relay.source_pace, asked, *count);
    if (*count == 0) {
      // A body that lasts until the end is whole only where the end was not that of a broken connection.
      if (!relay.decoder.complete_at_end_of_stream() || relay.source.channel().is_broken()) {
        co_return RelayEnd::kTruncated;
      }
      if (relay.chunked) {
        auto written = co_await relay.sink.write_all(codec::kLastChunk, relay.sink_timeout);
        if (!written) co_return sink_failed(relay, written.error(), asked, 0);
      }
      co_return RelayEnd::kDone;
    }
    relay.buffer.commit(*count);
  }
}

namespace {

// Of both directions.
struct TunnelState {
  runtime::TimePoint last_progress;
  std::optional<TunnelEnd> failure;
};

struct Direction {
  net::Stream& source;
  net::Stream& sink;
  net::Buffer& buffer;
  ByteCounters bytes;
  runtime::Duration idle_timeout;
  TunnelEnd source_failure;
  TunnelEnd sink_failure;
  TunnelState& state;
};

// Writes what the buffer holds as far as the sink takes it at once, without an await: most often that is all.
void write_what_fits(Direction& to) {
  runtime::Channel& sink = to.sink.channel();
  if (!sink.is_writable() || sink.is_cancelled()) return;
  ssize_t written = sink.try_write(std::span<const char>(to.buffer.unread()));
  if (written <= 0) return;  // what is wrong shows again when the rest is written
  to.bytes.add(static_cast<size_t>(written));
  to.buffer.consume(static_cast<size_t>(written));
}

runtime::Task<TunnelEnd> pump(Direction& to) {
  runtime::Channel& source = to.source.channel();
  while (true) {
    if (!to.buffer.empty()) write_what_fits(to);
    if (!to.buffer.empty()) {
      auto written = co_await to.sink.write_all(to.buffer.unread(), to.idle_timeout);
      if (!written) {
        co_return written.error() == net::IoError::kTimedOut ? TunnelEnd::kTimedOut : to.sink_failure;
      }
      to.bytes.add(to.buffer.size());
    }
    to.buffer.release();
    auto readable = co_await to.source.readable(to.state.last_progress + to.idle_timeout);
    if (!readable) {
      if (readable.error() != net::IoError::kTimedOut) co_return to.source_failure;
      // The other direction may have moved meanwhile.
      if (to.state.last_progress + to.idle_timeout > source.loop().now()) continue;
      co_return TunnelEnd::kTimedOut;
    }
    ssize_t count = source.try_read(to.buffer.room());
    if (count == -EAGAIN) continue;
    if (count < 0) co_return to.source_failure;
    to.state.last_progress = source.loop().now();
    if (count == 0) {
      to.buffer.release();
      to.sink.shutdown_write();
      co_return TunnelEnd::kDone;
    }
    to.buffer.commit(static_cast<size_t>(count));
  }
}

// A failure of one direction ends the other.
runtime::Task<void> run_direction(Direction to) {
  TunnelEnd end = co_await pump(to);
  if (end == TunnelEnd::kDone) co_return;
  if (!to.state.failure) to.state.failure = end;
  // Neither side may take what it has for the whole.
  to.source.reset_on_close();
  to.sink.reset_on_close();
  to.source.cancel();
  to.sink.cancel();
}

}  // namespace

runtime::Task<TunnelEnd> run_tunnel(Tunnel tunnel) {
  TunnelState state{.last_progress = tunnel.client.loop().now(), .failure = {}};
  runtime::Scope directions(tunnel.client.loop());
  directions.spawn(run_direction(Direction{.source = tunnel.client,
                                           .sink = tunnel.server,
                                           .buffer = tunnel.from_client,
                                           .bytes = tunnel.client_bytes,
                                           .idle_timeout = tunnel.idle_timeout,
                                           .source_failure = TunnelEnd::kClientFailed,
                                           .sink_failure = TunnelEnd::kServerFailed,
                                           .state = state}));
  directions.spawn(run_direction(Direction{.source = tunnel.server,
                                           .sink = tunnel.client,
                                           .buffer = tunnel.from_server,
                                           .bytes = tunnel.server_bytes,
                                           .idle_timeout = tunnel.idle_timeout,
                                           .source_failure = TunnelEnd::kServerFailed,
                                           .sink_failure = TunnelEnd::kClientFailed,
                                           .state = state}));
  co_await directions.join();
  co_return state.failure.value_or(TunnelEnd::kDone);
}

std::string_view cause_of(TunnelEnd end) {
  switch (end) {
    case TunnelEnd::kDone:
      return "complete";
    case TunnelEnd::kTimedOut:
      return "idle";
    case TunnelEnd::kClientFailed:
      return "client_reset";
    case TunnelEnd::kServerFailed:
      return "server_reset";
  }
  return "";
}

}  // namespace fairlead::proxy
