#include "codec/header_section.h"

#include <algorithm>

#include "codec/framing_fields.h"
#include "http/text.h"

namespace fairlead::codec {
namespace {

using http::Header;
using http::HeaderId;
using http::HeaderList;
using http::Word;

constexpr Refusal kTooManyHeaders{431, "too many headers"};
constexpr Refusal kBadName{400, "header name is not a token followed by a colon"};
constexpr Refusal kUnderscoreTwin{400, "header name reads as another one with '_' for '-'"};
constexpr Refusal kBareLineFeed{400, "line ends in LF without CR"};
constexpr Refusal kBareCarriageReturn{400, "CR without LF"};
constexpr Refusal kControlInValue{400, "control byte in a header value"};
constexpr Refusal kSecondHost{400, "more than one Host"};
constexpr Refusal kBadHost{400, "Host is not a host with an optional port"};

// Servers that hand headers to CGI-like programs do not tell `Content_Length` from `Content-Length`.
bool is_underscore_twin(std::string_view name) {
  constexpr size_t kLongestKnown = 19;
  if (name.size() > kLongestKnown) return false;
  std::array<char, kLongestKnown> dashed;
  std::ranges::replace_copy(name, dashed.begin(), '_', '-');
  return http::identify_header(std::string_view(dashed.data(), name.size())) != HeaderId::kOther;
}

// The rest of a name that is not only letters, digits, '-' and '.'.
[[gnu::noinline]] Verdict parse_odd_name(Cursor& cursor, const char* name) {
  while (!cursor.at_end() && is_token_char(*cursor.at)) ++cursor.at;
  if (cursor.at_end()) return kNeedMore;
  if (*cursor.at != ':') return &kBadName;
  const std::string_view text = text_between(name, cursor.at);
  return text.contains('_') && is_underscore_twin(text) ? &kUnderscoreTwin : kGoOn;
}

// Up to the colon. Whitespace in front of a name is an obs-fold or a smuggled line, and behind it ambiguous: both
// refused.
[[gnu::always_inline]] inline Verdict parse_name(Cursor& cursor, Header& header) {
  const char* name = cursor.at;
  cursor.at = find_stop<PlainNameStop>(cursor);
  if (cursor.at_end()) return kNeedMore;
  if (*cursor.at != ':') {
    if (const Verdict verdict = parse_odd_name(cursor, name)) return verdict;
  }
  if (cursor.at == name) return &kBadName;
  header.name = text_between(name, cursor.at);
  header.id = http::identify_header(header.name);
  return kGoOn;
}

// From the colon to behind the line's end.
[[gnu::always_inline]] inline Verdict parse_value(Cursor& cursor, Header& header) {
  const char* colon = cursor.at++;
  while (!cursor.at_end() && is_whitespace(static_cast<unsigned char>(*cursor.at))) ++cursor.at;
  const char* value = cursor.at;
  cursor.at = find_stop<ValueStop>(cursor);
  if (cursor.at_end()) return kNeedMore;
  const char* line_end = cursor.at;
  if (*line_end != '\r') return *line_end == '\n' ? &kBareLineFeed : &kControlInValue;
  if (line_end + 1 == cursor.end) return kNeedMore;
  if (line_end[1] != '\n') return &kBareCarriageReturn;
  cursor.at = line_end + 2;
  const char* value_end = line_end;
  while (value_end != value && is_whitespace(static_cast<unsigned char>(value_end[-1]))) --value_end;
  header.value = text_between(value, value_end);
  header.hop_by_hop = false;
  header.copyable = value == colon + 2 && colon[1] == ' ' && value_end == line_end;
  return kGoOn;
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

Verdict parse_header_section(Cursor& outer, const HeadLimits& limits, SectionFacts& facts, HeaderList& headers) {
  Cursor cursor = outer;
  const size_t max_headers = std::min(limits.max_headers, HeaderList::kCapacity);
  while (!cursor.at_end() && *cursor.at != '\r') {
    if (headers.size() >= max_headers) return &kTooManyHeaders;
    Header header;
    if (const Verdict verdict = parse_name(cursor, header)) return verdict;
    if (const Verdict verdict = parse_value(cursor, header)) return verdict;
    headers.push_back(header);
    if (header.id == HeaderId::kOther) continue;
    if (const Verdict verdict = understand(cursor, header, facts)) return verdict;
  }
  const Verdict verdict = parse_empty_line(cursor);
  outer = cursor;
  return verdict;
}

void mark_nominated(const SectionFacts& facts, HeaderList& headers) {
  if (facts.nominated_count == 0) return;
  for (Header& header : headers) {
    header.hop_by_hop = std::ranges::any_of(
        facts.nominated(), [&](std::string_view name) { return http::equals_ignoring_case(name, header.name); });
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
