// Requests: cuts change nothing, and what the writer makes of a head is a head of the same meaning.
#include <array>
#include <span>

#include "codec/http1_request.h"
#include "codec/http1_writer.h"
#include "targets.h"

namespace fairlead {
namespace {

using codec::HeadLimits;
using codec::HeadResult;
using http::RequestHead;

constexpr HeadLimits kLimits{.max_head_bytes = 2048, .max_headers = 20};

// The same with all that may be accepted of old clients.
HeadLimits relaxed() {
  HeadLimits limits = kLimits;
  for (http::Quirk quirk : {http::Quirk::kBareLineFeed, http::Quirk::kUnderscoreNames, http::Quirk::kEmptyLines}) {
    limits.quirks.insert(quirk);
  }
  return limits;
}
// What our own headers may add.
constexpr HeadLimits kWrittenLimits{.max_head_bytes = 4096, .max_headers = 30};

void check_cut(std::string_view input, size_t cut, const HeadLimits& limits, const HeadResult& whole) {
  static RequestHead head;
  const Alone part(input.substr(0, cut));
  const HeadResult result = codec::parse_request_head(part.text(), limits, head);
  if (result.incomplete()) return;
  demand(result.outcome == whole.outcome, "a beginning has the outcome of the whole");
  demand(result.consumed == whole.consumed, "a beginning is consumed like the whole");
  demand(result.refusal == whole.refusal, "a beginning is refused like the whole");
}

void check_round_trip(const RequestHead& head) {
  static RequestHead written_head;
  std::array<char, 4096> out;
  static std::array<char, codec::kMaxForwardedLines> client_memory;
  const codec::RequestOptions options{.client = codec::make_forwarded_lines("192.0.2.1", "http", client_memory),
                                      .host_if_absent = "absent"};
  const std::optional<size_t> size = codec::write_request_head(head, options, out);
  demand(size.has_value(), "a head with kHeadGrowth fits");
  const Alone written({out.data(), *size});
  const HeadResult again = codec::parse_request_head(written.text(), kWrittenLimits, written_head);
  demand(again.complete(), "what we write we accept");
  demand(again.consumed == *size, "what we write is one head");
  demand(written_head.method_text == head.method_text, "the method stays");
  demand(written_head.path == head.path && written_head.query == head.query, "path and query stay");
  demand(written_head.host == (head.host.empty() ? "absent" : head.host), "the host stays");
  demand(written_head.body == head.body, "the framing stays");
  demand(written_head.expect_continue == head.expect_continue, "the expectation stays");
  demand(written_head.upgrade == head.upgrade, "the upgrade stays");
  demand(written_head.keep_alive, "the server's connection is kept");
}

HeadResult check(std::string_view input, const HeadLimits& limits) {
  static RequestHead head;
  const Alone alone(input);
  const HeadResult whole = codec::parse_request_head(alone.text(), limits, head);
  if (whole.complete()) {
    check_round_trip(head);
    check_cut(input, whole.consumed - 1, limits, whole);
  }
  if (whole.incomplete()) demand(input.size() < limits.max_head_bytes, "at the limit a head is decided");
  const size_t step = 1 + input.size() / 64;
  for (size_t cut = 0; cut < input.size(); cut += step) check_cut(input, cut, limits, whole);
  return whole;
}

}  // namespace

void fuzz_http1_request(std::string_view input) {
  const HeadResult strict = check(input, kLimits);
  const HeadResult relaxed_result = check(input, relaxed());
  if (strict.complete()) {
    demand(relaxed_result.complete() && relaxed_result.consumed == strict.consumed, "what is right needs no quirk");
  }
}

}  // namespace fairlead
