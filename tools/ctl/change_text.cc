#include "ctl/change_text.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace fairlead::ctl {
namespace {

char sign_of(ChangeKind kind) {
  switch (kind) {
    case ChangeKind::kAdded:
      return '+';
    case ChangeKind::kChanged:
      return '~';
    case ChangeKind::kRemoved:
      return '-';
  }
  return ' ';
}

Colour colour_of(char sign) {
  if (sign == '+') return Colour::kGreen;
  if (sign == '-') return Colour::kRed;
  return sign == '~' ? Colour::kYellow : Colour::kNone;
}

}  // namespace

void print_changes(Streams& streams, const std::vector<ResourceChange>& list) {
  for (const ResourceChange& change : list) {
    const char sign = sign_of(change.kind);
    const std::string title = absl::StrCat(std::string(1, sign), " ", printable(change.title));
    streams.out << coloured(title, colour_of(sign), streams.colour) << "\n";
    if (change.kind == ChangeKind::kRemoved) continue;
    for (const std::string& line : line_difference(change.before, change.after)) {
      streams.out << "    " << coloured(printable(line), colour_of(line[0]), streams.colour) << "\n";
    }
  }
}

// "2 added, 1 changed".
std::string count_text(const std::vector<ResourceChange>& list) {
  const auto count = [&](ChangeKind kind) { return std::ranges::count(list, kind, &ResourceChange::kind); };
  std::string text;
  const auto add = [&](ChangeKind kind, const char* word) {
    if (count(kind) > 0) absl::StrAppend(&text, text.empty() ? "" : ", ", count(kind), word);
  };
  add(ChangeKind::kAdded, " added");
  add(ChangeKind::kChanged, " changed");
  add(ChangeKind::kRemoved, " removed");
  return text.empty() ? "nothing to change" : text;
}

}  // namespace fairlead::ctl
