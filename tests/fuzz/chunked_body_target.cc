// Chunked bodies: however they are cut, the same bytes come out, and they survive being written and read again.
#include <string>

#include "codec/body.h"
#include "targets.h"

namespace fairlead {
namespace {

using codec::BodyDecoder;

struct Decoded {
  std::string data;
  size_t consumed = 0;
  bool done = false;
  std::string error;

  friend bool operator==(const Decoded&, const Decoded&) = default;
};

// Feeds `input` in pieces of `piece` bytes.
Decoded decode(std::string_view input, size_t piece) {
  BodyDecoder decoder({.kind = http::BodyKind::kChunked});
  Decoded decoded;
  while (decoded.consumed < input.size()) {
    const Alone in(input.substr(decoded.consumed, piece));
    const BodyDecoder::Progress progress = decoder.decode(in.text());
    decoded.data += progress.data;
    decoded.consumed += progress.consumed;
    decoded.done = progress.done;
    decoded.error = progress.error;
    if (progress.done || !progress.error.empty()) break;
    demand(progress.consumed > 0, "each call makes progress");
  }
  return decoded;
}

}  // namespace

void fuzz_chunked_body(std::string_view input) {
  const Decoded whole = decode(input, input.size());
  demand(whole.data.size() <= whole.consumed, "no bytes from nowhere");
  for (const size_t piece : {1, 2, 3, 7}) demand(decode(input, piece) == whole, "cuts change nothing");
  if (!whole.done) return;
  std::string written;
  if (!whole.data.empty()) written = std::string(codec::ChunkLine(whole.data.size()).text()) + whole.data + "\r\n";
  written += codec::kLastChunk;
  const Decoded again = decode(written, written.size());
  demand(again.done && again.data == whole.data && again.consumed == written.size(), "what we write we read");
}

}  // namespace fairlead
