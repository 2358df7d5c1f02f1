#include "origin/response.h"

#include "codec/body.h"
#include "fmt/format.h"
#include "http/status.h"

namespace fairlead::origin {
namespace {

// Readable text of the wanted size.
std::string make_body(size_t size) {
  constexpr std::string_view kText = "Answered by an origin of Fairlead\n";
  std::string body;
  body.reserve(size);
  while (body.size() < size) body.append(kText.substr(0, size - body.size()));
  return body;
}

}  // namespace

Responses::Responses(const Settings& settings) : settings_(settings), body_(make_body(settings.body_bytes)) {
  usual_ = compose(ResponseFacts{});
}

std::string_view Responses::of(const ResponseFacts& facts) {
  bool usual = facts.status == 200 && !facts.head_only && !facts.close && !facts.has_body;
  if (usual) return usual_;
  composed_ = compose(facts);
  return composed_;
}

std::string Responses::compose(const ResponseFacts& facts) const {
  std::string text = fmt::format("HTTP/1.1 {} {}\r\nContent-Type: text/plain\r\nX-Origin: {}\r\n", facts.status,
                                 http::reason_phrase(facts.status), settings_.name);
  if (facts.has_body) text += fmt::format("X-Body-Bytes: {}\r\n", facts.body_bytes);
  if (facts.close) text += "Connection: close\r\n";
  bool chunked = settings_.chunked && !body_.empty();
  text += chunked ? "Transfer-Encoding: chunked\r\n\r\n" : fmt::format("Content-Length: {}\r\n\r\n", body_.size());
  if (facts.head_only) return text;
  if (!chunked) return text + body_;
  text += codec::ChunkLine(body_.size()).text();
  text += body_;
  text += codec::kChunkEndAndLastChunk;
  return text;
}

}  // namespace fairlead::origin
