// One call of grpc.health.v1.Health/Check over HTTP/2 (RFC 9113) with prior knowledge, without I/O.
//
// No HTTP/2 to build on: one call on one connection, whose answer is decided by frames, by the statuses of HTTP and of
// gRPC (call_fields.h), and by the message. What breaks the framing rules, or is more than kBytesMax, is refused.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace fairlead::codec {

class GrpcHealthCall {
 public:
  // All that a server may send, before the call is over.
  static constexpr size_t kBytesMax = 64 * 1024;

  // What the client sends first, and all of the call: preface, settings, headers, message.
  static std::string begin(std::string_view service, std::string_view authority);

  struct Answer {
    bool is_serving = false;
    // "SERVING", "NOT_SERVING", or what went wrong: "grpc-status 12 (UNIMPLEMENTED)", "reset by the server (error 7)".
    std::string text;
  };
  // Takes what came. Appends to `reply` what is to be sent now. Nothing: the call goes on.
  std::optional<Answer> take(std::string_view bytes, std::string& reply);

 private:
  struct Frame {
    uint8_t type;
    uint8_t flags;
    uint32_t stream;
    std::string_view payload;
  };

  std::optional<Answer> on_frame(const Frame& frame, std::string& reply);
  std::optional<Answer> on_connection_frame(const Frame& frame, std::string& reply);
  std::optional<Answer> on_headers(const Frame& frame);
  std::optional<Answer> on_header_block();
  std::optional<Answer> on_data(const Frame& frame);
  Answer finish() const;

  // Of a frame that has not come whole.
  std::string pending_;
  std::string header_block_;
  std::string message_;
  std::optional<uint32_t> grpc_status_;
  size_t taken_ = 0;
  bool has_settings_ = false;
  bool has_headers_ = false;
  bool has_http_status_ = false;
  // A header block goes on in the next frame, which then is nothing else.
  bool in_headers_ = false;
  // The stream ends with the header block that has begun.
  bool ends_ = false;
};

}  // namespace fairlead::codec
