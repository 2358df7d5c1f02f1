#include "codec/http1_request.h"

#include <cstring>

#include "codec/authority.h"
#include "codec/header_section.h"
#include "codec/request_target.h"
#include "codec/scan.h"

namespace fairlead::codec {
namespace {

using http::Method;
using http::RequestHead;
using http::Version;

constexpr size_t kMaxMethodBytes = 32;

constexpr Refusal kBadEmptyLine{400, "CR without LF before the request", RefusalKind::kLineEnd};
constexpr Refusal kBadMethod{400, "request line does not begin with a method and a space", RefusalKind::kRequestLine};
constexpr Refusal kMethodTooLong{501, "method of more than 32 bytes", RefusalKind::kMethod};
constexpr Refusal kHttp2Preface{400, "HTTP/2 preface on an HTTP/1 connection", RefusalKind::kVersion};
constexpr Refusal kMethodNotAllowed{405, "CONNECT and TRACE are not served", RefusalKind::kMethod};
constexpr Refusal kBadVersion{400, "request line does not end in a space, HTTP/1.1 and CR LF", RefusalKind::kVersion};
constexpr Refusal kUnknownVersion{505, "HTTP version other than 1.x", RefusalKind::kVersion};
constexpr Refusal kTargetTooLong{414, "request line over the limit of the head", RefusalKind::kTooLarge};
constexpr Refusal kHeadTooLarge{431, "head over the limit", RefusalKind::kTooLarge};
constexpr Refusal kHostMissing{400, "Host missing in HTTP/1.1", RefusalKind::kHost};
constexpr Refusal kHostDiffers{400, "Host differs from the target's authority", RefusalKind::kHost};
constexpr Refusal kCodingInHttp10{400, "Transfer-Encoding in HTTP/1.0", RefusalKind::kTransferEncoding};

// Clients of old send one behind a body (RFC 9112 section 2.2); a second is no accident.
Verdict skip_empty_lines(Cursor& cursor, http::QuirkSet quirks) {
  do {
    if (cursor.at_end() || *cursor.at != '\r') return kGoOn;
    if (cursor.left() < 2) return kNeedMore;
    if (cursor.at[1] != '\n') return &kBadEmptyLine;
    cursor.at += 2;
  } while (quirks.contains(http::Quirk::kEmptyLines));
  return kGoOn;
}

// Up to behind the space.
Verdict parse_method(Cursor& cursor, RequestHead& head) {
  const char* begin = cursor.at;
  while (!cursor.at_end() && is_token_char(*cursor.at)) {
    if (static_cast<size_t>(cursor.at - begin) == kMaxMethodBytes) return &kMethodTooLong;
    ++cursor.at;
  }
  if (cursor.at_end()) return kNeedMore;
  if (*cursor.at != ' ' || cursor.at == begin) return &kBadMethod;
  head.method_text = text_between(begin, cursor.at);
  ++cursor.at;
  head.method = http::method_from(head.method_text);
  if (head.method == Method::kConnect || head.method == Method::kTrace) return &kMethodNotAllowed;
  if (head.method_text == "PRI") return &kHttp2Preface;
  return kGoOn;
}

// Byte by byte, for what is not plainly HTTP/1.1. The bytes of the pattern stand for themselves, '0' for any digit.
[[gnu::noinline]] Verdict parse_odd_version(Cursor& cursor, http::QuirkSet quirks, RequestHead& head) {
  constexpr std::string_view kPattern = "HTTP/0.0\r\n";
  constexpr size_t kMajor = 5, kMinor = 7, kLineEnd = 8;
  const char* begin = cursor.at;
  for (size_t i = 0; i < kPattern.size(); ++i, ++cursor.at) {
    if (cursor.at_end()) return kNeedMore;
    if (i == kLineEnd && *cursor.at == '\n' && quirks.contains(http::Quirk::kBareLineFeed)) ++i;
    const bool is_number = i == kMajor || i == kMinor;
    const bool fits = is_number ? is_digit(static_cast<unsigned char>(*cursor.at)) : *cursor.at == kPattern[i];
    if (!fits) return &kBadVersion;
    if (i == kMinor && begin[kMajor] != '1') return &kUnknownVersion;
  }
  head.version = begin[kMinor] == '0' ? Version::kHttp10 : Version::kHttp11;
  return kGoOn;
}

// From behind the target's space to behind the line's end.
Verdict parse_version(Cursor& cursor, http::QuirkSet quirks, RequestHead& head) {
  constexpr std::string_view kUsual = "HTTP/1.1\r\n";
  if (cursor.left() < kUsual.size() || std::memcmp(cursor.at, kUsual.data(), kUsual.size()) != 0) {
    return parse_odd_version(cursor, quirks, head);
  }
  cursor.at += kUsual.size();
  head.version = Version::kHttp11;
  return kGoOn;
}

Verdict decide_host(const RequestTarget& target, const SectionFacts& facts, RequestHead& head) {
  if (!facts.host && head.version == Version::kHttp11) return &kHostMissing;
  if (target.authority) {
    if (facts.host && !same_authority(*target.authority, *facts.host, target.default_port)) return &kHostDiffers;
    head.host = target.authority->text;
    head.host_name = target.authority->name;
  } else if (facts.host) {
    head.host = facts.host->text;
    head.host_name = facts.host->name;
  }
  return kGoOn;
}

// What the lines mean together.
Verdict conclude(const RequestTarget& target, const SectionFacts& facts, RequestHead& head) {
  if (const Verdict verdict = decide_host(target, facts, head)) return verdict;
  const bool is_http11 = head.version == Version::kHttp11;
  if (facts.chunked && !is_http11) return &kCodingInHttp10;
  if (facts.chunked) {
    head.body = {.kind = http::BodyKind::kChunked};
  } else if (facts.length) {
    head.body = {.kind = http::BodyKind::kLength, .length = *facts.length};
  }
  head.keep_alive = !facts.close && (is_http11 || facts.keep_alive);
  // HTTP/1.0 has neither (RFC 9110 sections 10.1.1 and 7.8).
  head.expect_continue = is_http11 && facts.expect_continue && head.body.has_bytes();
  if (is_http11 && facts.upgrade_lines != 0) head.upgrade = upgrade_to_forward(facts);
  if (head.method == Method::kOptions) head.max_forwards = facts.max_forwards;
  mark_nominated(facts, head.headers);
  return kGoOn;
}

Verdict parse(Cursor& cursor, const HeadLimits& limits, RequestHead& head) {
  RequestTarget target;
  if (const Verdict verdict = skip_empty_lines(cursor, limits.quirks)) return verdict;
  if (const Verdict verdict = parse_method(cursor, head)) return verdict;
  if (const Verdict verdict = parse_target(cursor, head, target)) return verdict;
  if (const Verdict verdict = parse_version(cursor, limits.quirks, head)) return verdict;
  SectionFacts facts(Role::kRequest);
  if (const Verdict verdict = parse_header_section(cursor, limits, facts, head.headers)) return verdict;
  return conclude(target, facts, head);
}

}  // namespace

HeadResult parse_request_head(std::string_view bytes, const HeadLimits& limits, RequestHead& head) {
  head.clear();
  Cursor cursor(bytes.substr(0, limits.max_head_bytes));
  Verdict verdict = parse(cursor, limits, head);
  if (verdict == kGoOn) return {.outcome = HeadOutcome::kComplete, .consumed = cursor.consumed()};
  if (verdict == kNeedMore) {
    if (bytes.size() < limits.max_head_bytes) return {};
    verdict = head.target.empty() ? &kTargetTooLong : &kHeadTooLarge;
  }
  return {.outcome = HeadOutcome::kRefused, .refusal = verdict};
}

}  // namespace fairlead::codec
