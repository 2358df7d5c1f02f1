#include "codec/header_section.h"

#include <algorithm>

#include "codec/framing_fields.h"
#include "http/text.h"

namespace fairlead::codec {
namespace {

using http::Header;
using http::HeaderId;
using http::HeaderList;
using http::Quirk;
using http::QuirkSet;
using http::Word;

constexpr Refusal kTooManyHeaders{431, "too many headers", RefusalKind::kTooLarge};
constexpr Refusal kBadName{400, "header name is not a token followed by a colon", RefusalKind::kHeaderName};
constexpr Refusal kUnderscoreTwin{400, "header name reads as another one with '_' for '-'", RefusalKind::kHeaderName};
constexpr Refusal kBareLineFeed{400, "line ends in LF without CR", RefusalKind::kLineEnd};
constexpr Refusal kBareCarriageReturn{400, "CR without LF", RefusalKind::kLineEnd};
constexpr Refusal kControlInValue{400, "control byte in a header value", RefusalKind::kHeaderValue};
constexpr Refusal kSecondHost{400, "more than one Host", RefusalKind::kHost};
constexpr Refusal kBadHost{400, "Host is not a host with an optional port", RefusalKind::kHost};

// Servers that hand headers to CGI-like programs do not tell `Content_Length` from `Content-Length`.
bool is_underscore_twin(std::string_view name) {
  constexpr size_t kLongestKnown = 19;
  if (name.size() > kLongestKnown) return false;
  std::array<char, kLongestKnown> dashed;
  std::ranges::replace_copy(name, dashed.begin(), '_', '-');
  return http::identify_header(std::string_view(dashed.data(), name.size())) != HeaderId::kOther;
}

// Where a part of a line ends, and whether that is the end that it must have.
struct Part {
  const char* end;
  Verdict verdict;
};

// The rest of a name that is not only letters, digits, '-' and '.'.
[[gnu::noinline]] Part parse_odd_name(const char* name, const char* at, const char* end) {
  while (at != end && is_token_char(*at)) ++at;
  if (at == end) return {at, kNeedMore};
  if (*at != ':') return {at, &kBadName};
  const std::string_view text = text_between(name, at);
  return {at, text.contains('_') && is_underscore_twin(text) ? &kUnderscoreTwin : kGoOn};
}

// From the name's first byte to its colon. Whitespace in front of a name is an obs-fold or a smuggled line, and behind
// it ambiguous: both refused.
[[gnu::always_inline]] inline Part parse_name(const char* begin, const char* name, const char* end, Header& header) {
  const char* colon = find_stop<PlainNameStop>(begin, name, end);
  if (colon == end) return {colon, kNeedMore};
  if (*colon != ':') {
    const Part odd = parse_odd_name(name, colon, end);
    if (odd.verdict != kGoOn) return odd;
    colon = odd.end;
  }
  if (colon == name) return {colon, &kBadName};
  header.name = text_between(name, colon);
  return {colon, kGoOn};
}

// From the colon to behind the line's end.
[[gnu::always_inline]] inline Part parse_value(const char* begin, const char* colon, const char* end, Header& header) {
  const char* value = colon + 1;
  if (value != end && *value == ' ') ++value;
  while (value != end && is_whitespace(static_cast<unsigned char>(*value))) ++value;
  const char* line_end = find_stop<ValueStop>(begin, value, end);
  if (line_end == end) return {end, kNeedMore};
  if (*line_end != '\r') return {line_end, *line_end == '\n' ? &kBareLineFeed : &kControlInValue};
  if (line_end + 1 == end) return {end, kNeedMore};
  if (line_end[1] != '\n') return {end, &kBareCarriageReturn};
  const char* value_end = line_end;
  while (value_end != value && is_whitespace(static_cast<unsigned char>(value_end[-1]))) --value_end;
  header.value = text_between(value, value_end);
  header.hop_by_hop = false;
  header.copyable = value == colon + 2 && colon[1] == ' ' && value_end == line_end;
  return {line_end + 2, kGoOn};
}

// A value that ends in LF alone, where that may be.
[[gnu::noinline]] Part accept_line_feed(const char* colon, Part value, QuirkSet quirks, Header& header) {
  if (value.verdict != &kBareLineFeed || !quirks.contains(Quirk::kBareLineFeed)) return value;
  header.value = trim_whitespace(text_between(colon + 1, value.end));
  header.hop_by_hop = false;
  header.copyable = false;
  return {value.end + 1, kGoOn};
}

// A line whose name is none to keep, and that is left out where that may be.
[[gnu::noinline]] Part leave_out_twin(const char* begin, const char* end, Part name, QuirkSet quirks) {
  if (name.verdict != &kUnderscoreTwin || !quirks.contains(Quirk::kUnderscoreNames)) return name;
  Header unused;
  return accept_line_feed(name.end, parse_value(begin, name.end, end, unused), quirks, unused);
}

Verdict read_host(const Cursor& cursor, std::string_view value, SectionFacts& facts) {
  if (facts.host) return &kSecondHost;
  return parse_authority(cursor, value, facts.host.emplace()) ? kGoOn : &kBadHost;
}

[[gnu::always_inline]] inline Verdict understand(const Cursor& cursor, const Header& header, SectionFacts& facts) {
  const bool is_request = facts.role == Role::kRequest;
  switch (header.id) {
    case HeaderId::kHost:
      return is_request ? read_host(cursor, header.value, facts) : kGoOn;
    case HeaderId::kContentLength:
      return read_content_length(header.value, facts);
    case HeaderId::kTransferEncoding:
      return read_transfer_encoding(header.value, facts);
    case HeaderId::kConnection:
      return read_connection(header.value, facts);
    case HeaderId::kExpect:
      return is_request ? read_expect(header.value, facts) : kGoOn;
    case HeaderId::kMaxForwards:
      return is_request ? read_max_forwards(header.value, facts) : kGoOn;
    case HeaderId::kKeepAlive:
      if (!is_request) read_keep_alive(header.value, facts);
      return kGoOn;
    case HeaderId::kUpgrade:
      if (facts.upgrade_lines < 2) ++facts.upgrade_lines;
      facts.upgrade = header.value;
      return kGoOn;
    default:
      return kGoOn;
  }
}

Verdict parse_empty_line(Cursor& cursor) {
  if (cursor.left() < 2) return kNeedMore;
  if (cursor.at[1] != '\n') return &kBareCarriageReturn;
  cursor.at += 2;
  return kGoOn;
}

}  // namespace

// `at` is a variable of its own, which no other function sees, so that it stays in a register.
Verdict parse_header_section(Cursor& cursor, const HeadLimits& limits, SectionFacts& facts, HeaderList& headers) {
  const char* const begin = cursor.begin;
  const char* const end = cursor.end;
  const char* at = cursor.at;
  const size_t max_headers = std::min(limits.max_headers, HeaderList::kCapacity);
  while (at != end && *at != '\r') {
    if (headers.size() >= max_headers) return &kTooManyHeaders;
    Header& header = headers.unfinished();
    const Part name = parse_name(begin, at, end, header);
    if (name.verdict != kGoOn) [[unlikely]] {
      if (*at == '\n' && limits.quirks.contains(Quirk::kBareLineFeed)) {
        cursor.at = at + 1;
        return kGoOn;
      }
      const Part line = leave_out_twin(begin, end, name, limits.quirks);
      if (line.verdict != kGoOn) return line.verdict;
      at = line.end;
      continue;
    }
    Part value = parse_value(begin, name.end, end, header);
    if (value.verdict != kGoOn) [[unlikely]] {
      value = accept_line_feed(name.end, value, limits.quirks, header);
      if (value.verdict != kGoOn) return value.verdict;
    }
    at = value.end;
    header.id = http::identify_header(header.name);
    headers.keep_unfinished();
    if (header.id == HeaderId::kOther) continue;
    if (const Verdict verdict = understand(cursor, header, facts)) return verdict;
  }
  cursor.at = at;
  return parse_empty_line(cursor);
}

void mark_nominated(const SectionFacts& facts, HeaderList& headers) {
  if (facts.nominated_count == 0) return;
  for (Header& header : headers) {
    header.hop_by_hop = std::ranges::any_of(
        facts.nominated(), [&](const Nominated& name) { return http::equals_ignoring_case(name.text(), header.name); });
  }
}

std::string_view upgrade_to_forward(const SectionFacts& facts) {
  if (!facts.upgrade_option || facts.upgrade_lines != 1) return {};
  for (std::string_view rest = facts.upgrade; rest.data() != nullptr;) {
    const std::string_view protocol = take_list_element(rest);
    const size_t slash = protocol.find('/');
    if (!is_token(protocol.substr(0, slash))) return {};
    if (slash != std::string_view::npos && !is_token(protocol.substr(slash + 1))) return {};
    if (Word("h2c").matches(protocol)) return {};
  }
  return facts.upgrade;
}

}  // namespace fairlead::codec
