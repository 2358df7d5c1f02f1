// What a refused request was wrong in, coarsely enough to count by.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace fairlead::codec {

enum class RefusalKind : uint8_t {
  kRequestLine,
  kMethod,
  kTarget,
  kVersion,
  kHost,
  kHeaderName,
  kHeaderValue,
  kLineEnd,
  kContentLength,
  kTransferEncoding,
  kConnection,
  kExpect,
  kMaxForwards,
  kTooLarge,
  kTimeout,
  kBody,
  kLoop,
};
inline constexpr size_t kRefusalKinds = 17;

// In small letters, as a label of metrics.
constexpr std::string_view name_of(RefusalKind kind) {
  switch (kind) {
    case RefusalKind::kRequestLine:
      return "request_line";
    case RefusalKind::kMethod:
      return "method";
    case RefusalKind::kTarget:
      return "target";
    case RefusalKind::kVersion:
      return "version";
    case RefusalKind::kHost:
      return "host";
    case RefusalKind::kHeaderName:
      return "header_name";
    case RefusalKind::kHeaderValue:
      return "header_value";
    case RefusalKind::kLineEnd:
      return "line_end";
    case RefusalKind::kContentLength:
      return "content_length";
    case RefusalKind::kTransferEncoding:
      return "transfer_encoding";
    case RefusalKind::kConnection:
      return "connection";
    case RefusalKind::kExpect:
      return "expect";
    case RefusalKind::kMaxForwards:
      return "max_forwards";
    case RefusalKind::kTooLarge:
      return "too_large";
    case RefusalKind::kTimeout:
      return "timeout";
    case RefusalKind::kBody:
      return "body";
    case RefusalKind::kLoop:
      return "loop";
  }
  __builtin_unreachable();
}

}  // namespace fairlead::codec
