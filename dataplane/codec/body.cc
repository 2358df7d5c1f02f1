#include "codec/body.h"

#include <algorithm>

#include "codec/scan.h"
#include "http/header.h"
#include "http/text.h"

namespace fairlead::codec {
namespace {

using http::BodyKind;

constexpr uint8_t kMaxSizeDigits = 16;
constexpr uint64_t kMaxChunk = INT64_MAX;

constexpr const char* kBadSize = "chunk size is not hexadecimal digits and CR LF";
constexpr const char* kSizeTooLarge = "chunk size above 2^63-1";
constexpr const char* kBadExtension = "control byte in a chunk extension";
constexpr const char* kLineTooLong = "chunk extension over the limit";
constexpr const char* kBadLineEnd = "CR without LF, or LF without CR, in a chunk's line";
constexpr const char* kBadDataEnd = "chunk data is not followed by CR LF";
constexpr const char* kBadTrailer = "trailer is not a header line";
constexpr const char* kForbiddenTrailer = "trailer names a framing or routing header";
constexpr const char* kTrailersTooLong = "trailers over the limit";
constexpr const char* kOverLimit = "chunks come to more than a body may have";
constexpr const char* kFailedBefore = "body was broken before";

// -1 if it is none.
int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = http::lower_case(c);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

}  // namespace

BodyDecoder::BodyDecoder(http::BodyFraming framing)
    : remaining_(framing.kind == BodyKind::kLength ? framing.length : 0), state_(initial_state(framing)) {}

BodyDecoder::State BodyDecoder::initial_state(http::BodyFraming framing) {
  switch (framing.kind) {
    case BodyKind::kNone:
      return State::kDone;
    case BodyKind::kLength:
      return framing.length == 0 ? State::kDone : State::kLength;
    case BodyKind::kChunked:
      return State::kSizeFirst;
    case BodyKind::kUntilClose:
      return State::kUntilClose;
  }
  __builtin_unreachable();
}

BodyDecoder::Progress BodyDecoder::decode(std::string_view in) {
  Progress progress;
  while (progress.consumed != in.size()) {
    const std::string_view rest = in.substr(progress.consumed);
    if (state_ == State::kDone) break;
    if (state_ == State::kFailed) {
      progress.error = kFailedBefore;
      return progress;
    }
    if (state_ == State::kUntilClose) {
      progress.data = rest;
      progress.consumed = in.size();
    } else if (state_ == State::kLength || state_ == State::kData) {
      // A second piece waits for the next call.
      if (!progress.data.empty()) break;
      progress.data = rest.substr(0, remaining_);
      progress.consumed += progress.data.size();
      remaining_ -= progress.data.size();
      if (remaining_ == 0) state_ = state_ == State::kLength ? State::kDone : State::kDataCr;
    } else {
      ++progress.consumed;
      if (const char* fault = step(rest.front())) {
        state_ = State::kFailed;
        progress.error = fault;
        return progress;
      }
    }
  }
  progress.done = done();
  return progress;
}

const char* BodyDecoder::step(char c) {
  const auto expect = [&](char expected, State next, const char* fault) {
    state_ = next;
    return c == expected ? nullptr : fault;
  };
  switch (state_) {
    case State::kSizeFirst:
    case State::kSize:
      return step_size(c);
    case State::kExtension:
      return step_extension(c);
    case State::kSizeLf:
      line_bytes_ = 0;
      return expect('\n', digits_ == 0 ? State::kTrailerFirst : State::kData, kBadLineEnd);
    case State::kDataCr:
      return expect('\r', State::kDataLf, kBadDataEnd);
    case State::kDataLf:
      return expect('\n', State::kSizeFirst, kBadDataEnd);
    case State::kTrailerFirst:
    case State::kTrailerName:
      return step_trailer_name(c);
    case State::kTrailerValue:
      return step_trailer_value(c);
    case State::kTrailerLf:
      return expect('\n', State::kTrailerFirst, kBadLineEnd);
    case State::kEndLf:
      return expect('\n', State::kDone, kBadLineEnd);
    case State::kDone:
    case State::kFailed:
    case State::kUntilClose:
    case State::kLength:
    case State::kData:
      break;
  }
  __builtin_unreachable();
}

const char* BodyDecoder::step_size(char c) {
  if (state_ == State::kSizeFirst) {
    digits_ = 0;
    remaining_ = 0;
  }
  if (const int digit = hex_value(c); digit >= 0) {
    if (++digits_ > kMaxSizeDigits || remaining_ > (kMaxChunk >> 4)) return kSizeTooLarge;
    remaining_ = (remaining_ << 4) | static_cast<uint64_t>(digit);
    state_ = State::kSize;
    return nullptr;
  }
  // Whitespace in front of or behind the size is refused too: readers differ about it.
  if (state_ == State::kSizeFirst || (c != '\r' && c != ';')) return kBadSize;
  if (remaining_ > allowed_) {
    is_over_limit_ = true;
    return kOverLimit;
  }
  allowed_ -= remaining_;
  line_bytes_ = digits_;
  state_ = c == '\r' ? State::kSizeLf : State::kExtension;
  // From here on: whether bytes follow.
  digits_ = remaining_ == 0 ? 0 : 1;
  return nullptr;
}

const char* BodyDecoder::step_extension(char c) {
  if (c == '\r') {
    state_ = State::kSizeLf;
    return nullptr;
  }
  if (ValueStop::test(static_cast<unsigned char>(c))) return kBadExtension;
  return ++line_bytes_ > kMaxChunkLine ? kLineTooLong : nullptr;
}

const char* BodyDecoder::count_trailer_byte() { return ++line_bytes_ > kMaxTrailerBytes ? kTrailersTooLong : nullptr; }

const char* BodyDecoder::step_trailer_name(char c) {
  if (state_ == State::kTrailerFirst) {
    name_size_ = 0;
    if (c == '\r') {
      state_ = State::kEndLf;
      return nullptr;
    }
  }
  if (c == ':' && state_ == State::kTrailerName) {
    using http::HeaderId;
    constexpr http::HeaderIdSet kForbidden(HeaderId::kContentLength, HeaderId::kTransferEncoding, HeaderId::kHost);
    const bool whole = name_size_ <= kLongestForbidden;
    if (whole && kForbidden.contains(http::identify_header({name_, name_size_}))) return kForbiddenTrailer;
    state_ = State::kTrailerValue;
    return count_trailer_byte();
  }
  if (!is_token_char(c)) return kBadTrailer;
  // One more than the longest tells a longer name from it.
  if (name_size_ <= kLongestForbidden) name_[name_size_++] = c;
  state_ = State::kTrailerName;
  return count_trailer_byte();
}

const char* BodyDecoder::step_trailer_value(char c) {
  if (c == '\r') {
    state_ = State::kTrailerLf;
    return nullptr;
  }
  return ValueStop::test(static_cast<unsigned char>(c)) ? kBadTrailer : count_trailer_byte();
}

ChunkLine::ChunkLine(uint64_t size) : begin_(16) {
  text_[16] = '\r';
  text_[17] = '\n';
  do {
    text_[--begin_] = "0123456789abcdef"[size & 0xf];
    size >>= 4;
  } while (size != 0);
}

}  // namespace fairlead::codec
