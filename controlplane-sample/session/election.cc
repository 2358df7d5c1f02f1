#include "session/election.h"

#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace fairlead::session {

ElectionId election_id_of_start(absl::Time start) {
  return {.high = 0, .low = static_cast<std::uint64_t>(absl::ToUnixMillis(start))};
}

std::string to_string(const ElectionId& id) {
  return id.high == 0 ? absl::StrCat(id.low) : absl::StrCat(id.high, ":", id.low);
}

absl::StatusOr<ElectionId> parse_election_id(absl::string_view text) {
  const std::pair<absl::string_view, absl::string_view> halves = absl::StrSplit(text, absl::MaxSplits(':', 1));
  const bool both = text.find(':') != absl::string_view::npos;
  ElectionId id;
  bool good = absl::SimpleAtoi(both ? halves.second : text, &id.low);
  if (both) good = good && absl::SimpleAtoi(halves.first, &id.high);
  if (good && id != ElectionId{}) return id;
  return absl::InvalidArgumentError(
      absl::StrCat("\"", text, "\" is no election id; right are two numbers \"high:low\" or one, above 0"));
}

}  // namespace fairlead::session
