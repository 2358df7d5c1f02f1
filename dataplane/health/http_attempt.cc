// The steps of an HTTP check.
#include <algorithm>
#include <string>

#include "codec/body.h"
#include "codec/http1_response.h"
#include "config/text.h"
#include "config/validate.h"
#include "health/attempt.h"
#include "http/text.h"

namespace fairlead::health {
namespace {

using config::concat;
using runtime::Task;

constexpr codec::HeadLimits kHeadLimits{.max_head_bytes = 16 * 1024, .max_headers = http::HeaderList::kCapacity};
constexpr int kInterimHeadsMax = 16;
constexpr size_t kBodyMax = 64 * 1024;

Finding down(std::string reason) { return {Finding::Kind::kDown, std::move(reason)}; }

struct Method {
  http::Method method;
  std::string_view text;
};
Method method_of(config::CheckMethod method) {
  switch (method) {
    case config::CheckMethod::kHead:
      return {http::Method::kHead, "HEAD"};
    case config::CheckMethod::kOptions:
      return {http::Method::kOptions, "OPTIONS"};
    case config::CheckMethod::kPost:
      return {http::Method::kPost, "POST"};
    case config::CheckMethod::kGet:
      break;
  }
  return {http::Method::kGet, "GET"};
}

// "200-399", "200, 204-299".
std::string expected_text(const config::HttpCheck& check) {
  if (check.expected.empty()) return "200-399";
  std::string text;
  for (const config::StatusRange& range : check.expected) {
    if (!text.empty()) text += ", ";
    text += range.first == range.last ? concat(range.first) : concat(range.first, "-", range.last);
  }
  return text;
}

// Looks for a text in bytes that come in pieces.
class Search {
 public:
  explicit Search(std::string_view wanted) : wanted_(wanted) {}

  bool take(std::string_view piece) {
    kept_.append(piece);
    if (kept_.contains(wanted_)) return true;
    // A beginning of it may stand at the end.
    size_t keep = std::min(kept_.size(), wanted_.size() - 1);
    kept_.erase(0, kept_.size() - keep);
    return false;
  }

 private:
  std::string_view wanted_;
  std::string kept_;
};

}  // namespace

std::string Attempt::request_of(const config::HttpCheck& check) const {
  std::string text = concat(method_of(check.effective_method()).text, " ", check.effective_path(),
                            " HTTP/1.1\r\nHost: ", authority(check.host), "\r\nConnection: close\r\n");
  auto is_agent = [](const auto& header) { return http::equals_ignoring_case(header.first, "user-agent"); };
  if (std::ranges::none_of(check.headers, is_agent)) text += "User-Agent: fairlead-check\r\n";
  if (check.effective_method() == config::CheckMethod::kPost) text += "Content-Length: 0\r\n";
  for (const auto& [name, value] : check.headers) text += concat(name, ": ", value, "\r\n");
  return text + "\r\n";
}

Task<Finding> Attempt::ask(const config::HttpCheck& check) {
  net::IoResult<void> sent = co_await send(request_of(check));
  if (!sent) co_return failure("send", sent.error());
  net::Buffer buffer(equipment_.buffers);
  std::optional<Finding> headless = co_await read_head(buffer, method_of(check.effective_method()).method);
  if (headless) co_return *std::move(headless);
  uint16_t status = equipment_.head.status;
  http::BodyFraming framing = equipment_.head.body;
  if (!check.expects(status)) co_return down(concat("status: ", status, ", expected ", expected_text(check)));
  if (check.body_contains.empty()) co_return Finding{Finding::Kind::kUp, concat("status ", status)};
  Finding finding = co_await search_body(buffer, framing, check);
  if (finding.kind == Finding::Kind::kUp) finding.reason = concat("status ", status, ", ", finding.reason);
  co_return finding;
}

Task<std::optional<Finding>> Attempt::read_more(net::Buffer& buffer, std::string_view step, bool& ended) {
  // Who sends without end is always readable.
  if (left() <= runtime::Duration::zero()) co_return failure(step, net::IoError::kTimedOut);
  net::IoResult<size_t> count = co_await stream_->read_some(buffer.room(), deadline_);
  if (!count) co_return failure(step, count.error());
  buffer.commit(*count);
  ended = *count == 0;
  co_return std::nullopt;
}

Task<std::optional<Finding>> Attempt::read_head(net::Buffer& buffer, http::Method method) {
  bool ended = false;
  for (int heads = 0; heads <= kInterimHeadsMax;) {
    if (!buffer.empty()) {
      codec::HeadResult result =
          codec::parse_response_head(buffer.unread(), kHeadLimits, {.method = method}, equipment_.head);
      if (result.refused()) co_return down(concat("response: malformed: ", result.refusal->cause));
      if (result.complete()) {
        buffer.consume(result.consumed);
        if (!equipment_.head.is_interim()) co_return std::nullopt;
        ++heads;
        continue;
      }
    }
    if (ended) co_return down("response: closed before its head was complete");
    std::optional<Finding> failed = co_await read_more(buffer, "response", ended);
    if (failed) co_return *std::move(failed);
  }
  co_return down("response: too many interim responses");
}

Task<Finding> Attempt::search_body(net::Buffer& buffer, http::BodyFraming framing, const config::HttpCheck& check) {
  std::string wanted = config::quoted(check.body_contains);
  codec::BodyDecoder decoder(framing);
  Search search(check.body_contains);
  size_t rest = kBodyMax;
  bool ended = false;
  while (true) {
    codec::BodyDecoder::Progress progress = decoder.decode(buffer.unread());
    if (!progress.error.empty()) co_return down(concat("body: malformed: ", progress.error));
    std::string_view piece = progress.data.substr(0, rest);
    rest -= piece.size();
    if (search.take(piece)) co_return Finding{Finding::Kind::kUp, concat("with ", wanted)};
    buffer.consume(progress.consumed);
    if (progress.done) co_return down(concat("body: ", wanted, " is not in it"));
    if (rest == 0) co_return down(concat("body: ", wanted, " is not in its first 64 KiB"));
    if (!buffer.empty() && progress.consumed > 0) continue;
    if (ended) {
      bool is_whole = decoder.complete_at_end_of_stream() && !stream_->channel().is_broken();
      co_return down(is_whole ? concat("body: ", wanted, " is not in it") : "body: ended early");
    }
    std::optional<Finding> failed = co_await read_more(buffer, "body", ended);
    if (failed) co_return *std::move(failed);
  }
}

}  // namespace fairlead::health
