#include "generator/client.h"

#include <algorithm>
#include <charconv>

#include "codec/body.h"
#include "fmt/format.h"
#include "runtime/end_of_turn.h"
#include "runtime/sleep.h"

namespace fairlead::generator {
namespace {

// A connection that was idle for longer may be about to be closed by the other side; so it is not used any more, as
// browsers do. Shorter than any proxy's default.
constexpr runtime::Duration kIdleMax = std::chrono::seconds(4);
// An upload that takes its time is sent in so many pieces.
constexpr size_t kSlowPieces = 20;

std::optional<uint64_t> number_of(const http::Header* header) {
  if (!header) return std::nullopt;
  uint64_t value = 0;
  auto [end, error] = std::from_chars(header->value.data(), header->value.data() + header->value.size(), value);
  if (error != std::errc()) return std::nullopt;
  return value;
}

}  // namespace

runtime::Task<Outcome> Client::perform(const Job& job) {
  runtime::TimePoint deadline = job.due + clients_.target.timeout;
  if (!is_usable()) {
    Outcome failed = co_await connect(deadline);
    if (failed) co_return failed;
  }
  reusable_ = false;
  Outcome outcome;
  if (clients_.target.tcp_echo) {
    outcome = co_await exchange_tcp(deadline);
  } else {
    outcome = co_await exchange_http(job, deadline);
  }
  input_.release_if_empty();
  if (outcome || !reusable_) {
    stream_.reset();
    input_.release();
  }
  last_used_ = clients_.loop.now();
  co_return outcome;
}

bool Client::is_usable() const {
  if (!stream_ || !reusable_) return false;
  // Readable now means: closed by the other side, as nothing was asked.
  return !stream_->channel().is_readable() && clients_.loop.now() - last_used_ < kIdleMax;
}

runtime::Task<Outcome> Client::connect(runtime::TimePoint deadline) {
  stream_.reset();
  input_.release();
  ++clients_.connects;
  const config::SocketAddress& address = clients_.address;
  int fd = clients_.loop.driver().connect(reinterpret_cast<const sockaddr*>(&address.storage), address.size);
  if (fd < 0) co_return failure_of(runtime::io_error_of(-fd), "connecting");
  stream_.emplace(clients_.loop, fd);
  net::IoResult<void> writable = co_await stream_->writable(deadline);
  int error = writable ? -clients_.loop.driver().connect_result(fd) : 0;
  if (writable && error == 0) co_return std::nullopt;
  stream_.reset();
  if (!writable) co_return failure_of(writable.error(), "connecting");
  Failure failure = failure_of(runtime::io_error_of(error), "connecting");
  failure.cause = Cause::kConnect;
  co_return failure;
}

runtime::Task<Outcome> Client::exchange_http(const Job& job, runtime::TimePoint deadline) {
  Outcome failed = co_await write(Parts{clients_.messages.head(job.kind, job.new_connection)}, deadline);
  if (!failed && job.kind == Kind::kUpload) failed = co_await upload(deadline);
  // A server that refuses an upload may answer and reset: the answer says more than the failed write.
  Answer answer;
  Outcome unread = co_await read_head(job.kind, deadline, answer);
  if (unread) co_return failed ? failed : unread;
  unread = co_await read_body(answer, deadline);
  if (unread) co_return unread;
  Outcome judged = judge(job, answer);
  if (judged) co_return judged;
  reusable_ = answer.keep_alive && !job.new_connection && !failed && input_.empty();
  // What follows on this connection goes out in a row with what follows on others.
  if (reusable_) co_await runtime::EndOfTurn(clients_.loop);
  co_return failed;
}

runtime::Task<Outcome> Client::upload(runtime::TimePoint deadline) {
  const Target& target = clients_.target;
  bool slow = target.upload_duration > runtime::Duration::zero();
  size_t piece = clients_.messages.block().size();
  if (slow) piece = std::clamp<size_t>(target.upload_bytes / kSlowPieces, 1, piece);
  size_t pieces = (target.upload_bytes + piece - 1) / piece;
  for (size_t sent = 0; sent < target.upload_bytes;) {
    size_t size = std::min(piece, target.upload_bytes - sent);
    std::string_view bytes = std::string_view(clients_.messages.block()).substr(0, size);
    codec::ChunkLine line(size);
    std::string_view before = target.upload_chunked ? line.text() : std::string_view();
    std::string_view after = target.upload_chunked ? codec::kChunkEnd : std::string_view();
    Outcome failed = co_await write(Parts{before, bytes, after}, deadline);
    if (failed) co_return failed;
    sent += size;
    clients_.bytes_uploaded += size;
    // An answer before the end is somebody's refusal.
    if (stream_->channel().is_readable()) co_return std::nullopt;
    if (slow) co_await runtime::Sleep(clients_.loop, clients_.loop.now() + target.upload_duration / pieces);
  }
  if (!target.upload_chunked) co_return std::nullopt;
  Outcome failed = co_await write(Parts{codec::kLastChunk}, deadline);
  co_return failed;
}

runtime::Task<Outcome> Client::write(Parts parts, runtime::TimePoint deadline) {
  runtime::Duration patience = std::max(deadline - clients_.loop.now(), runtime::Duration::zero());
  net::IoResult<void> written = co_await stream_->write_all({parts[0], parts[1], parts[2]}, patience);
  if (!written) co_return failure_of(written.error(), "sending the request");
  co_return std::nullopt;
}

runtime::Task<Outcome> Client::read_more(runtime::TimePoint deadline) {
  std::span<char> room = input_.room();
  if (room.empty()) co_return Failure{Cause::kMalformed, "the response's head is too large"};
  net::IoResult<size_t> count = co_await stream_->read_some(room, deadline);
  if (!count) co_return failure_of(count.error(), "reading the response");
  if (*count == 0) co_return Failure{Cause::kClosedEarly, "closed before the end of the response"};
  input_.commit(*count);
  clients_.bytes_received += *count;
  co_return std::nullopt;
}

runtime::Task<Outcome> Client::read_head(Kind kind, runtime::TimePoint deadline, Answer& answer) {
  codec::ResponseContext context{.method = kind == Kind::kUpload ? http::Method::kPost : http::Method::kGet};
  for (;;) {
    http::ResponseHead& head = clients_.head;
    codec::HeadResult result = codec::parse_response_head(input_.unread(), codec::HeadLimits{}, context, head);
    if (result.refused()) {
      co_return Failure{Cause::kMalformed, fmt::format("malformed response: {}", result.refusal->cause)};
    }
    if (result.complete() && !head.is_interim()) {
      answer = Answer{.status = head.status,
                      .body = head.body,
                      .keep_alive = head.keep_alive,
                      .from_origin = head.headers.find("X-Origin") != nullptr,
                      .upload_bytes = number_of(head.headers.find("X-Body-Bytes"))};
      input_.consume(result.consumed);
      co_return std::nullopt;
    }
    if (result.complete()) {
      input_.consume(result.consumed);
      continue;
    }
    Outcome failed = co_await read_more(deadline);
    if (failed) co_return failed;
  }
}

runtime::Task<Outcome> Client::read_body(const Answer& answer, runtime::TimePoint deadline) {
  if (!answer.body.has_bytes()) co_return std::nullopt;
  codec::BodyDecoder decoder(answer.body);
  for (;;) {
    codec::BodyDecoder::Progress progress = decoder.decode(input_.unread());
    if (!progress.error.empty()) {
      co_return Failure{Cause::kMalformed, fmt::format("malformed body: {}", progress.error)};
    }
    input_.consume(progress.consumed);
    if (progress.done) co_return std::nullopt;
    if (progress.consumed > 0 && !input_.empty()) continue;
    Outcome failed = co_await read_more(deadline);
    if (failed && failed->cause == Cause::kClosedEarly && decoder.complete_at_end_of_stream()) co_return std::nullopt;
    if (failed) co_return failed;
  }
}

Outcome Client::judge(const Job& job, const Answer& answer) const {
  const Target& target = clients_.target;
  if (answer.status != target.expected_status) {
    return Failure{Cause::kStatus,
                   fmt::format("status {}{}", answer.status, answer.from_origin ? " of the origin" : "")};
  }
  if (!answer.from_origin) return Failure{Cause::kNotFromOrigin, "no X-Origin header"};
  if (job.kind == Kind::kUpload && answer.upload_bytes != target.upload_bytes) {
    return Failure{Cause::kBodyMismatch, fmt::format("sent {} bytes, the origin read {}", target.upload_bytes,
                                                     answer.upload_bytes.value_or(0))};
  }
  return std::nullopt;
}

runtime::Task<Outcome> Client::exchange_tcp(runtime::TimePoint deadline) {
  std::string_view payload = std::string_view(clients_.messages.block()).substr(0, clients_.target.payload_bytes);
  Outcome failed = co_await write(Parts{payload}, deadline);
  if (failed) co_return failed;
  for (size_t received = 0; received < payload.size();) {
    failed = co_await read_more(deadline);
    if (failed) co_return failed;
    if (!payload.substr(received).starts_with(input_.unread())) {
      co_return Failure{Cause::kBodyMismatch, "other bytes came back than were sent"};
    }
    received += input_.size();
    input_.consume(input_.size());
  }
  reusable_ = true;
  co_return std::nullopt;
}

}  // namespace fairlead::generator
