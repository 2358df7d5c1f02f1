// Responses: the first byte chooses the request, the rest is the server's. The same properties as for requests.
#include <array>

#include "codec/http1_response.h"
#include "codec/http1_writer.h"
#include "targets.h"

namespace fairlead {
namespace {

using codec::HeadLimits;
using codec::HeadResult;
using codec::ResponseContext;
using http::BodyKind;
using http::ResponseHead;
using http::Version;

constexpr HeadLimits kLimits{.max_head_bytes = 2048, .max_headers = 20};
constexpr HeadLimits kWrittenLimits{.max_head_bytes = 4096, .max_headers = 30};

void check_cut(std::string_view input, size_t cut, const ResponseContext& context, const HeadResult& whole) {
  static ResponseHead head;
  const Alone part(input.substr(0, cut));
  const HeadResult result = codec::parse_response_head(part.text(), kLimits, context, head);
  if (result.incomplete()) return;
  demand(result.outcome == whole.outcome, "a beginning has the outcome of the whole");
  demand(result.consumed == whole.consumed, "a beginning is consumed like the whole");
  demand(result.refusal == whole.refusal, "a beginning is refused like the whole");
}

void check_round_trip(const ResponseHead& head, const ResponseContext& context, Version client) {
  static ResponseHead written_head;
  std::array<char, 4096> out;
  const std::optional<size_t> size =
      codec::write_response_head(head, {.client_version = client, .date_line = "Date: now\r\n"}, out);
  demand(size.has_value(), "a head with kHeadGrowth fits");
  const Alone written({out.data(), *size});
  const HeadResult again = codec::parse_response_head(written.text(), kWrittenLimits, context, written_head);
  demand(again.complete(), "what we write we accept");
  demand(again.consumed == *size, "what we write is one head");
  demand(written_head.status == head.status && written_head.reason == head.reason, "status and reason stay");
  const http::BodyFraming framing = codec::framing_for_client(head, client);
  demand(written_head.body == framing, "the framing is the announced one");
  demand(written_head.upgrade == head.upgrade, "the upgrade stays");
  if (framing.kind == BodyKind::kUntilClose) demand(!written_head.keep_alive, "a body until close closes");
  if (client == Version::kHttp10) demand(framing.kind != BodyKind::kChunked, "no chunks for HTTP/1.0");
}

}  // namespace

void fuzz_http1_response(std::string_view input) {
  static ResponseHead head;
  if (input.empty()) return;
  const ResponseContext context{.method = static_cast<http::Method>(static_cast<unsigned char>(input[0]) % 10),
                                .upgrade_asked = (input[0] & 0x40) != 0 ? "websocket" : ""};
  input.remove_prefix(1);
  const Alone alone(input);
  const HeadResult whole = codec::parse_response_head(alone.text(), kLimits, context, head);
  if (whole.complete()) {
    check_round_trip(head, context, Version::kHttp11);
    check_round_trip(head, context, Version::kHttp10);
    check_cut(input, whole.consumed - 1, context, whole);
  }
  if (whole.incomplete()) demand(input.size() < kLimits.max_head_bytes, "at the limit a head is decided");
  const size_t step = 1 + input.size() / 64;
  for (size_t cut = 0; cut < input.size(); cut += step) check_cut(input, cut, context, whole);
}

}  // namespace fairlead
