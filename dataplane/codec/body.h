// Bodies of HTTP/1 messages: reading them by their framing (RFC 9112 sections 6 and 7), and writing chunks.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "http/head.h"

namespace fairlead::codec {

// Reads one body. Small: it lives in the frame of the coroutine that relays the body, and it holds no bytes.
//
// Chunk extensions and trailers are checked, bounded and dropped. Refused are: anything but CR LF as line end,
// whitespace around a chunk size, a size above 2^63-1, and trailers named as framing or routing headers.
class BodyDecoder {
 public:
  // Bytes of one line with a chunk's size, and of all trailers together, without the line ends.
  static constexpr uint32_t kMaxChunkLine = 4096;
  static constexpr uint32_t kMaxTrailerBytes = 8192;

  struct Progress {
    // Bytes of the input that belong to this body and are dealt with. Call again with the rest, unless done or error.
    size_t consumed = 0;
    // Body bytes, a part of the input. Empty although nothing ended: the rest of the body has not come yet.
    std::string_view data;
    // The body is complete: bytes behind `consumed` belong to the next message.
    bool done = false;
    // Why the body is broken, or empty; from then on nothing of the connection may be used.
    std::string_view error;
  };

  explicit BodyDecoder(http::BodyFraming framing);

  // Chunks that come to more than this are an error. Before the first byte.
  void limit_chunks(uint64_t bytes) { allowed_ = bytes; }
  // That error has come.
  bool is_over_limit() const { return is_over_limit_; }

  // Takes what it can from `in`, up to the end of one contiguous piece of body bytes and what framing follows it. A
  // body of no bytes is done at the first call, even with no input.
  Progress decode(std::string_view in);

  bool done() const { return state_ == State::kDone; }
  // Whether the body is complete when the peer ends its stream now: it was, or this is how it ends.
  bool complete_at_end_of_stream() const { return done() || state_ == State::kUntilClose; }
  // Body bytes that are known to be outstanding, of the whole body or of the chunk.
  uint64_t remaining() const { return remaining_; }

 private:
  enum class State : uint8_t {
    kDone,
    kFailed,
    kUntilClose,
    kLength,
    kSizeFirst,  // First digit of a chunk's size.
    kSize,
    kExtension,
    kSizeLf,
    kData,
    kDataCr,
    kDataLf,
    kTrailerFirst,  // First byte of a trailer line or of the empty line.
    kTrailerName,
    kTrailerValue,
    kTrailerLf,
    kEndLf,
  };

  static State initial_state(http::BodyFraming framing);
  // One byte of framing: null or what is wrong with it.
  const char* step(char c);
  const char* step_size(char c);
  const char* step_extension(char c);
  const char* step_trailer_name(char c);
  const char* step_trailer_value(char c);
  const char* count_trailer_byte();

  static constexpr size_t kLongestForbidden = 17;  // transfer-encoding

  uint64_t remaining_ = 0;
  uint64_t allowed_ = UINT64_MAX;
  uint32_t line_bytes_ = 0;
  State state_;
  uint8_t digits_ = 0;
  uint8_t name_size_ = 0;
  bool is_over_limit_ = false;
  char name_[kLongestForbidden + 1] = {};
};
static_assert(sizeof(BodyDecoder) <= 64);

// The line before a chunk's bytes. After them comes kChunkEnd.
class ChunkLine {
 public:
  // Requires size > 0: a chunk of no bytes would end the body.
  explicit ChunkLine(uint64_t size);
  std::string_view text() const { return {text_.data() + begin_, text_.size() - begin_}; }

 private:
  std::array<char, 18> text_;  // Sixteen digits, CR, LF.
  uint8_t begin_;
};

inline constexpr std::string_view kChunkEnd = "\r\n";
// Ends a body behind a kChunkEnd, or an empty body.
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";
inline constexpr std::string_view kChunkEndAndLastChunk = "\r\n0\r\n\r\n";

}  // namespace fairlead::codec
