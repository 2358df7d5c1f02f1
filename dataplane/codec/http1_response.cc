#include "codec/http1_response.h"

#include <cstring>

#include "codec/header_section.h"
#include "codec/scan.h"

namespace fairlead::codec {
namespace {

using http::BodyKind;
using http::Method;
using http::ResponseHead;
using http::Version;

constexpr Refusal kBadStatusLine{502, "status line is not HTTP/1.x, a status of 100 to 599 and a reason"};
constexpr Refusal kHeadTooLarge{502, "response head over the limit"};
constexpr Refusal kCodingInHttp10{502, "Transfer-Encoding in an HTTP/1.0 response"};
constexpr Refusal kBodyInInterim{502, "1xx response with a body"};
constexpr Refusal kUpgradeUnasked{502, "101 response that was not asked for or names no protocol"};

// Byte by byte. The pattern's bytes stand for themselves, '0' for any digit.
Verdict parse_version_and_status(Cursor& cursor, ResponseHead& head) {
  constexpr std::string_view kPattern = "HTTP/1.0 000";
  constexpr size_t kMinor = 7, kStatus = 9;
  const char* begin = cursor.at;
  for (size_t i = 0; i < kPattern.size(); ++i, ++cursor.at) {
    if (cursor.at_end()) return kNeedMore;
    const char c = *cursor.at;
    const bool fits = kPattern[i] == '0' ? is_digit(static_cast<unsigned char>(c)) : c == kPattern[i];
    if (!fits || (i == kStatus && (c < '1' || c > '5'))) return &kBadStatusLine;
  }
  const auto digit = [&](size_t place) { return begin[kStatus + place] - '0'; };
  head.status = static_cast<uint16_t>(digit(0) * 100 + digit(1) * 10 + digit(2));
  head.version = begin[kMinor] == '0' ? Version::kHttp10 : Version::kHttp11;
  return kGoOn;
}

// Many servers leave out the reason, and the space before it as well.
Verdict parse_reason(Cursor& cursor, ResponseHead& head) {
  if (cursor.at_end()) return kNeedMore;
  if (*cursor.at == ' ') {
    const char* begin = ++cursor.at;
    cursor.at = find_stop<ValueStop>(cursor);
    head.reason = text_between(begin, cursor.at);
    if (cursor.at_end()) return kNeedMore;
  }
  if (*cursor.at != '\r') return &kBadStatusLine;
  if (cursor.left() < 2) return kNeedMore;
  if (cursor.at[1] != '\n') return &kBadStatusLine;
  cursor.at += 2;
  return kGoOn;
}

// The commonest line of all in one comparison.
Verdict parse_status_line(Cursor& cursor, ResponseHead& head) {
  constexpr std::string_view kUsual = "HTTP/1.1 200 OK\r\n";
  if (cursor.left() >= kUsual.size() && std::memcmp(cursor.at, kUsual.data(), kUsual.size()) == 0) {
    head.status = 200;
    head.reason = std::string_view(cursor.at + 13, 2);
    cursor.at += kUsual.size();
    return kGoOn;
  }
  if (const Verdict verdict = parse_version_and_status(cursor, head)) return verdict;
  return parse_reason(cursor, head);
}

// Whether `asked` has each of these protocols, of which there is one at least.
bool is_asked_for(std::string_view protocols, std::string_view asked) {
  if (protocols.empty() || asked.empty()) return false;
  while (protocols.data() != nullptr) {
    const std::string_view protocol = take_list_element(protocols);
    bool found = false;
    for (std::string_view rest = asked; rest.data() != nullptr && !found;) {
      found = http::equals_ignoring_case(take_list_element(rest), protocol);
    }
    if (!found) return false;
  }
  return true;
}

Verdict conclude_informational(const ResponseContext& context, const SectionFacts& facts, ResponseHead& head) {
  if (facts.chunked || facts.length.value_or(0) != 0) return &kBodyInInterim;
  if (head.status != 101) return kGoOn;
  head.upgrade = upgrade_to_forward(facts);
  if (head.version != Version::kHttp11 || !is_asked_for(head.upgrade, context.upgrade_asked)) return &kUpgradeUnasked;
  head.keep_alive = false;
  return kGoOn;
}

// RFC 9112 section 6.3, in its order.
void decide_body(const ResponseContext& context, const SectionFacts& facts, ResponseHead& head) {
  if (context.method == Method::kHead || head.status == 304) {
    head.declared_length = facts.length;
  } else if (head.status == 204 || (context.method == Method::kConnect && head.status < 300)) {
    // A server that announces a body here may send one: what comes behind the head cannot be trusted.
    if (facts.chunked || facts.length.value_or(0) != 0) head.keep_alive = false;
  } else if (facts.chunked) {
    head.body = {.kind = BodyKind::kChunked};
  } else if (facts.length) {
    head.declared_length = facts.length;
    head.body = {.kind = BodyKind::kLength, .length = *facts.length};
  } else {
    head.body = {.kind = BodyKind::kUntilClose};
    head.keep_alive = false;
  }
}

// What the lines mean together.
Verdict conclude(const ResponseContext& context, const SectionFacts& facts, ResponseHead& head) {
  const bool is_http11 = head.version == Version::kHttp11;
  if (facts.chunked && !is_http11) return &kCodingInHttp10;
  head.keep_alive = !facts.close && (is_http11 || facts.keep_alive);
  head.keep_alive_timeout_seconds = facts.keep_alive_timeout_seconds;
  head.keep_alive_max = facts.keep_alive_max;
  mark_nominated(facts, head.headers);
  if (head.is_informational()) return conclude_informational(context, facts, head);
  if (head.status == 426) head.upgrade = upgrade_to_forward(facts);
  decide_body(context, facts, head);
  return kGoOn;
}

Verdict parse(Cursor& cursor, const HeadLimits& limits, const ResponseContext& context, ResponseHead& head) {
  if (const Verdict verdict = parse_status_line(cursor, head)) return verdict;
  SectionFacts facts(Role::kResponse);
  if (const Verdict verdict = parse_header_section(cursor, limits, facts, head.headers)) return verdict;
  return conclude(context, facts, head);
}

}  // namespace

HeadResult parse_response_head(std::string_view bytes, const HeadLimits& limits, const ResponseContext& context,
                               ResponseHead& head) {
  head.clear();
  Cursor cursor(bytes.substr(0, limits.max_head_bytes));
  Verdict verdict = parse(cursor, limits, context, head);
  if (verdict == kGoOn) return {.outcome = HeadOutcome::kComplete, .consumed = cursor.consumed()};
  if (verdict == kNeedMore) {
    if (bytes.size() < limits.max_head_bytes) return {};
    verdict = &kHeadTooLarge;
  }
  return {.outcome = HeadOutcome::kRefused, .refusal = verdict};
}

}  // namespace fairlead::codec
