#include "codec/grpc_health.h"

#include <array>
#include <utility>

#include "base/varint.h"
#include "codec/call_fields.h"

namespace fairlead::codec {
namespace {

enum FrameType : uint8_t {
  kData = 0,
  kHeaders = 1,
  kPriority = 2,
  kResetStream = 3,
  kSettings = 4,
  kPushPromise = 5,
  kPing = 6,
  kGoAway = 7,
  kWindowUpdate = 8,
  kContinuation = 9,
};
enum Flag : uint8_t { kAck = 1, kEndStream = 1, kEndHeaders = 4, kPadded = 8, kHasPriority = 32 };

constexpr uint32_t kStream = 1;
constexpr size_t kFrameHeader = 9;
// What a client that says nothing else takes.
constexpr size_t kPayloadMax = 16'384;
constexpr size_t kMessageMax = 1024;

void append_number(std::string& out, uint32_t value, int bytes) {
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) out += static_cast<char>(value >> shift);
}

uint32_t number_at(std::string_view bytes) {
  uint32_t value = 0;
  for (char c : bytes.substr(0, 4)) value = value << 8 | static_cast<uint8_t>(c);
  return value;
}

void append_frame(std::string& out, FrameType type, uint8_t flags, uint32_t stream, std::string_view payload) {
  append_number(out, static_cast<uint32_t>(payload.size()), 3);
  out += static_cast<char>(type);
  out += static_cast<char>(flags);
  append_number(out, stream, 4);
  out += payload;
}

// RFC 7541, sections 5.1 and 5.2: a string as it is.
void append_string(std::string& out, std::string_view text) {
  constexpr size_t kPrefix = 127;
  size_t rest = text.size();
  if (rest < kPrefix) {
    out += static_cast<char>(rest);
  } else {
    out += static_cast<char>(kPrefix);
    for (rest -= kPrefix; rest >= 128; rest >>= 7) out += static_cast<char>(rest | 128);
    out += static_cast<char>(rest);
  }
  out += text;
}

// Section 6.2.2: a literal without indexing, of a name in the static table (below 15) or a new one.
void append_field(std::string& out, uint8_t index, std::string_view value) {
  out += static_cast<char>(index);
  append_string(out, value);
}
void append_field(std::string& out, std::string_view name, std::string_view value) {
  out += '\0';
  append_string(out, name);
  append_string(out, value);
}

GrpcHealthCall::Answer failed(std::string text) { return {false, std::move(text)}; }

std::string with_error(std::string_view what, uint32_t error) {
  return std::string(what) + " (error " + std::to_string(error) + ")";
}

// Without padding and priority; nothing where they are longer than the frame.
std::optional<std::string_view> content_of(uint8_t flags, bool may_have_priority, std::string_view payload) {
  size_t padding = 0;
  if (flags & kPadded) {
    if (payload.empty()) return std::nullopt;
    padding = static_cast<uint8_t>(payload.front());
    payload.remove_prefix(1);
  }
  size_t priority = may_have_priority && (flags & kHasPriority) ? 5 : 0;
  if (payload.size() < padding + priority) return std::nullopt;
  return payload.substr(priority, payload.size() - padding - priority);
}

}  // namespace

std::string GrpcHealthCall::begin(std::string_view service, std::string_view authority) {
  std::string out = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
  append_frame(out, kSettings, 0, 0, "");
  std::string headers;
  headers += static_cast<char>(0x83);  // :method: POST
  headers += static_cast<char>(0x86);  // :scheme: http
  append_field(headers, 4, "/grpc.health.v1.Health/Check");
  append_field(headers, 1, authority);
  append_field(headers, "content-type", "application/grpc");
  append_field(headers, "te", "trailers");
  append_field(headers, "user-agent", "fairlead-check");
  append_frame(out, kHeaders, kEndHeaders, kStream, headers);
  // HealthCheckRequest: `service` is field 1, and at most 255 bytes long.
  std::string request;
  if (!service.empty()) {
    request += '\x0a';
    if (service.size() >= 128) request += static_cast<char>(service.size() | 128);
    request += static_cast<char>(service.size() >= 128 ? service.size() >> 7 : service.size());
    request += service;
  }
  std::string message(1, '\0');
  append_number(message, static_cast<uint32_t>(request.size()), 4);
  append_frame(out, kData, kEndStream, kStream, message + request);
  return out;
}

std::optional<GrpcHealthCall::Answer> GrpcHealthCall::take(std::string_view bytes, std::string& reply) {
  taken_ += bytes.size();
  if (taken_ > kBytesMax) return failed("more than 64 KiB, and no end");
  pending_ += bytes;
  size_t at = 0;
  while (pending_.size() - at >= kFrameHeader) {
    std::string_view rest = std::string_view(pending_).substr(at);
    size_t size = number_at(rest) >> 8;
    if (size > kPayloadMax || (!has_settings_ && rest[3] != kSettings)) return failed("this is no HTTP/2");
    if (rest.size() < kFrameHeader + size) break;
    Frame frame{.type = static_cast<uint8_t>(rest[3]),
                .flags = static_cast<uint8_t>(rest[4]),
                .stream = number_at(rest.substr(5)) & 0x7fffffff,
                .payload = rest.substr(kFrameHeader, size)};
    if (std::optional<Answer> answer = on_frame(frame, reply)) return answer;
    at += kFrameHeader + size;
  }
  pending_.erase(0, at);
  return std::nullopt;
}

std::optional<GrpcHealthCall::Answer> GrpcHealthCall::on_frame(const Frame& frame, std::string& reply) {
  if (in_headers_ != (frame.type == kContinuation)) return failed("a header block in pieces that do not fit");
  switch (frame.type) {
    case kSettings:
    case kPing:
    case kGoAway:
      return on_connection_frame(frame, reply);
    case kHeaders:
    case kContinuation:
      return on_headers(frame);
    case kData:
      return on_data(frame);
    case kResetStream:
      if (frame.stream != kStream || frame.payload.size() != 4) return failed("a malformed RST_STREAM");
      return failed(with_error("reset by the server", number_at(frame.payload)));
    case kPushPromise:
      return failed("a push that nobody asked for");
    default:
      // Windows and priorities, which say nothing to who sends nothing more, and what nobody knows.
      return std::nullopt;
  }
}

std::optional<GrpcHealthCall::Answer> GrpcHealthCall::on_connection_frame(const Frame& frame, std::string& reply) {
  size_t size = frame.payload.size();
  bool is_answer = frame.flags & kAck;
  if (frame.stream != 0) return failed("a frame of the connection on a stream");
  if (frame.type == kSettings) {
    if (size % 6 != 0 || (is_answer && size > 0)) return failed("malformed SETTINGS");
    if (!has_settings_ && is_answer) return failed("this is no HTTP/2");
    has_settings_ = true;
    if (!is_answer) append_frame(reply, kSettings, kAck, 0, "");
    return std::nullopt;
  }
  if (frame.type == kPing) {
    if (size != 8) return failed("a malformed PING");
    if (!is_answer) append_frame(reply, kPing, kAck, 0, frame.payload);
    return std::nullopt;
  }
  if (size < 8) return failed("a malformed GOAWAY");
  // A server that goes may still answer what it has taken.
  uint32_t error = number_at(frame.payload.substr(4));
  bool is_taken = (number_at(frame.payload) & 0x7fffffff) >= kStream && error == 0;
  if (is_taken) return std::nullopt;
  return failed(with_error("the server goes", error));
}

std::optional<GrpcHealthCall::Answer> GrpcHealthCall::on_headers(const Frame& frame) {
  if (frame.stream != kStream) return failed("an answer to another call");
  if (frame.type == kHeaders) {
    std::optional<std::string_view> content = content_of(frame.flags, /*may_have_priority=*/true, frame.payload);
    if (!content) return failed("malformed HEADERS");
    header_block_ = *content;
    ends_ = frame.flags & kEndStream;
    // After the message, and after headers, only trailers come.
    if (has_headers_ && !ends_) return failed("headers in the midst of the answer");
    has_headers_ = true;
  } else {
    header_block_ += frame.payload;
  }
  in_headers_ = !(frame.flags & kEndHeaders);
  if (in_headers_) return std::nullopt;
  return on_header_block();
}

std::optional<GrpcHealthCall::Answer> GrpcHealthCall::on_header_block() {
  const std::optional<CallFields> fields = read_call_fields(header_block_);
  if (!fields) return failed("malformed HEADERS");
  if (!std::exchange(has_http_status_, true)) {
    if (!fields->http_status) return failed("no HTTP status");
    if (fields->http_status != 200u) return failed("HTTP status " + std::to_string(*fields->http_status));
  }
  if (!ends_) return std::nullopt;
  grpc_status_ = fields->grpc_status;
  return finish();
}

std::optional<GrpcHealthCall::Answer> GrpcHealthCall::on_data(const Frame& frame) {
  if (frame.stream != kStream || !has_headers_) return failed("data that belongs to nothing");
  std::optional<std::string_view> content = content_of(frame.flags, /*may_have_priority=*/false, frame.payload);
  if (!content) return failed("malformed DATA");
  message_ += *content;
  if (message_.size() > kMessageMax) return failed("a message too large to be an answer");
  if (frame.flags & kEndStream) return failed("no trailers");
  return std::nullopt;
}

namespace {

std::string grpc_status_text(uint32_t status) {
  constexpr std::array<std::string_view, 17> kNames = {
      "OK",        "CANCELLED",      "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
      "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
      "ABORTED",   "OUT_OF_RANGE",   "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
      "DATA_LOSS", "UNAUTHENTICATED"};
  std::string text = "grpc-status " + std::to_string(status);
  if (status < kNames.size()) text += " (" + std::string(kNames[status]) + ")";
  return text;
}

bool skip(std::string_view& left, uint64_t count) {
  if (count > left.size()) return false;
  left.remove_prefix(count);
  return true;
}

bool skip_value(std::string_view& left, uint64_t wire_type) {
  switch (wire_type) {
    case 0:
      return base::take_varint(left).has_value();
    case 1:
      return skip(left, 8);
    case 2: {
      const std::optional<uint64_t> size = base::take_varint(left);
      return size && skip(left, *size);
    }
    case 5:
      return skip(left, 4);
    default:
      return false;
  }
}

// HealthCheckResponse: `status` is field 1, a number; the last one counts, and 0 where it is left out. Other fields are
// those of later versions. Nothing: it is malformed.
std::optional<uint64_t> status_in(std::string_view response) {
  constexpr uint64_t kStatusTag = 1 << 3;
  uint64_t status = 0;
  while (!response.empty()) {
    const std::optional<uint64_t> tag = base::take_varint(response);
    if (!tag || *tag >> 3 == 0) return std::nullopt;
    if (*tag == kStatusTag) {
      const std::optional<uint64_t> value = base::take_varint(response);
      if (!value) return std::nullopt;
      status = *value;
    } else if (!skip_value(response, *tag & 7)) {
      return std::nullopt;
    }
  }
  return status;
}

}  // namespace

GrpcHealthCall::Answer GrpcHealthCall::finish() const {
  if (!grpc_status_) return failed("no grpc-status");
  if (*grpc_status_ != 0) return failed(grpc_status_text(*grpc_status_));
  if (message_.empty()) return failed("the call failed: there is no message");
  constexpr size_t kPrefix = 5;
  if (message_.size() < kPrefix) return failed("a malformed message");
  if (message_[0] != '\0') return failed("a compressed message, which nobody asked for");
  std::string_view response = std::string_view(message_).substr(kPrefix);
  if (number_at(std::string_view(message_).substr(1)) != response.size()) return failed("a malformed message");
  constexpr std::array<std::string_view, 4> kStatuses = {"UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"};
  const std::optional<uint64_t> status = status_in(response);
  if (!status) return failed("a malformed message");
  if (*status >= kStatuses.size()) return failed("a status that nobody knows");
  return {*status == 1, std::string(kStatuses[*status])};
}

}  // namespace fairlead::codec
