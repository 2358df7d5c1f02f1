// Who may write, where several control planes speak to one data plane: the one with the highest id.
#pragma once

#include <compare>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace fairlead::session {

// 128 bits, compared as one number. {0, 0} is none.
struct ElectionId {
  std::uint64_t high = 0;
  std::uint64_t low = 0;

  friend auto operator<=>(const ElectionId&, const ElectionId&) = default;
};

// Of a control plane that started then: whoever started later wins. Milliseconds since 1970 in `low`, so a `high` above
// 0 that a person gives wins over all of these.
ElectionId election_id_of_start(absl::Time start);

// "high:low", or "low" for a `high` of 0.
std::string to_string(const ElectionId& id);
absl::StatusOr<ElectionId> parse_election_id(absl::string_view text);

}  // namespace fairlead::session
