#include "codec/request_target.h"

#include "http/text.h"

namespace fairlead::codec {
namespace {

using http::Method;
using http::RequestHead;

constexpr Refusal kBadForm{400, "target is neither a path nor an absolute http URI", RefusalKind::kTarget};
constexpr Refusal kBadByte{400, "target has a byte that no URI may contain", RefusalKind::kTarget};
constexpr Refusal kFragment{400, "target has a fragment", RefusalKind::kTarget};
constexpr Refusal kBackslash{400, "path has a backslash", RefusalKind::kTarget};
constexpr Refusal kEncodedNul{400, "path has %00", RefusalKind::kTarget};
constexpr Refusal kBadAuthority{400, "absolute target without a plain host and port", RefusalKind::kTarget};
constexpr Refusal kAsterisk{400, "target * is for OPTIONS alone", RefusalKind::kTarget};

// From `at` to the space behind the query.
Verdict parse_query(Cursor& cursor, const char* begin, RequestHead& head) {
  cursor.at = find_stop<QueryStop>(cursor);
  if (cursor.at_end()) return kNeedMore;
  if (*cursor.at != ' ') return *cursor.at == '#' ? &kFragment : &kBadByte;
  head.query = text_between(begin, cursor.at);
  return kGoOn;
}

Verdict refuse_path_byte(char c) {
  if (c == '#') return &kFragment;
  return c == '\\' ? &kBackslash : &kBadByte;
}

// From the slash, or the question mark where there is no path, to the space behind path and query.
Verdict parse_path_and_query(Cursor& cursor, RequestHead& head) {
  const char* begin = cursor.at;
  while (true) {
    cursor.at = find_stop<PathStop>(cursor);
    if (cursor.at_end()) return kNeedMore;
    if (*cursor.at != '%') break;
    if (cursor.left() >= 3 && cursor.at[1] == '0' && cursor.at[2] == '0') return &kEncodedNul;
    ++cursor.at;
  }
  const char* path_end = cursor.at;
  head.path = text_between(begin, path_end);
  if (*path_end == ' ') return kGoOn;
  if (*path_end == '?') return parse_query(cursor, path_end, head);
  return refuse_path_byte(*path_end);
}

Verdict parse_ignoring_case(Cursor& cursor, std::string_view text) {
  for (const char c : text) {
    if (cursor.at_end()) return kNeedMore;
    if (http::lower_case(*cursor.at) != c) return &kBadForm;
    ++cursor.at;
  }
  return kGoOn;
}

Verdict parse_scheme(Cursor& cursor, RequestTarget& target) {
  if (const Verdict verdict = parse_ignoring_case(cursor, "http")) return verdict;
  if (cursor.at_end()) return kNeedMore;
  if (http::lower_case(*cursor.at) == 's') {
    ++cursor.at;
    target.default_port = 443;
  }
  return parse_ignoring_case(cursor, "://");
}

Verdict parse_target_authority(Cursor& cursor, RequestTarget& target) {
  const char* begin = cursor.at;
  while (!cursor.at_end() && *cursor.at != '/' && *cursor.at != '?' && *cursor.at != ' ') {
    const auto c = static_cast<unsigned char>(*cursor.at);
    // '@' would end user information, which deceives readers about the host.
    if (c < 0x20 || c >= 0x7f || c == '#' || c == '@') return &kBadAuthority;
    ++cursor.at;
  }
  if (cursor.at_end()) return kNeedMore;
  const std::string_view text = text_between(begin, cursor.at);
  return parse_authority(cursor, text, target.authority.emplace()) ? kGoOn : &kBadAuthority;
}

Verdict parse_absolute_form(Cursor& cursor, RequestHead& head, RequestTarget& target) {
  if (const Verdict verdict = parse_scheme(cursor, target)) return verdict;
  if (const Verdict verdict = parse_target_authority(cursor, target)) return verdict;
  if (*cursor.at == '/') return parse_path_and_query(cursor, head);
  const bool has_query = *cursor.at == '?';
  // RFC 9112 section 3.2.4: the last proxy makes `*` of an empty path.
  head.path = head.method == Method::kOptions && !has_query ? "*" : "/";
  return has_query ? parse_query(cursor, cursor.at, head) : kGoOn;
}

Verdict parse_asterisk(Cursor& cursor, RequestHead& head) {
  if (head.method != Method::kOptions) return &kAsterisk;
  head.path = text_between(cursor.at, cursor.at + 1);
  ++cursor.at;
  if (cursor.at_end()) return kNeedMore;
  return *cursor.at == ' ' ? kGoOn : &kBadForm;
}

Verdict parse_form(Cursor& cursor, RequestHead& head, RequestTarget& target) {
  switch (*cursor.at) {
    case '/':
      return parse_path_and_query(cursor, head);
    case '*':
      return parse_asterisk(cursor, head);
    case 'h':
    case 'H':
      return parse_absolute_form(cursor, head, target);
    default:
      return &kBadForm;
  }
}

}  // namespace

Verdict parse_target(Cursor& cursor, RequestHead& head, RequestTarget& target) {
  if (cursor.at_end()) return kNeedMore;
  const char* begin = cursor.at;
  if (const Verdict verdict = parse_form(cursor, head, target)) return verdict;
  head.target = text_between(begin, cursor.at);
  ++cursor.at;
  return kGoOn;
}

}  // namespace fairlead::codec
