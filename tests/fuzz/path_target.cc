// Paths: the first two bytes choose the policy. What comes out has one spelling, is not longer, and comes out again.
#include <string>

#include "http/normalize_path.h"
#include "targets.h"

namespace fairlead {

void fuzz_path(std::string_view input) {
  using http::PathAction;
  if (input.size() < 3) return;
  const auto action = [&](size_t byte, unsigned shift) -> std::optional<PathAction> {
    const unsigned number = static_cast<unsigned char>(input[byte]) >> shift & 3;
    return number == 3 ? std::nullopt : std::optional(static_cast<PathAction>(number));
  };
  const http::PathPolicy policy{.dot_segments = action(0, 0),
                                .repeated_slashes = action(0, 2),
                                .encoded_slashes = action(1, 0),
                                .escapes = action(1, 2)};
  const Alone alone(input.substr(2));
  std::string memory;
  const http::NormalizedPath once = http::normalize_path(alone.text(), policy, memory);
  if (!once.refusal.empty()) return;
  const std::string path(once.path);
  demand(path.size() <= alone.text().size(), "a path does not grow");
  if (!path.starts_with('/')) return;
  const http::NormalizedPath twice = http::normalize_path(path, policy, memory);
  demand(twice.refusal.empty() && twice.path == path, "a normal path stays as it is");
  const auto keeps = [](std::optional<PathAction> what) {
    return what.value_or(PathAction::kKeep) == PathAction::kKeep;
  };
  if (!keeps(policy.repeated_slashes)) demand(!path.contains("//"), "no two slashes");
  if (!keeps(policy.encoded_slashes)) {
    for (const char* slash : {"%2f", "%2F", "%5c", "%5C"}) demand(!path.contains(slash), "no encoded slash");
  }
  if (!keeps(policy.dot_segments)) demand(!path.contains("/../") && !path.ends_with("/.."), "no dot segment");
  if (policy.changes_nothing()) demand(path == alone.text(), "kept as it is");
}

}  // namespace fairlead
