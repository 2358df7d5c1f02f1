#include "generator/failures.h"

#include <utility>

#include "base/ready_file.h"
#include "fmt/format.h"

namespace fairlead::generator {

using runtime::IoError;

std::string_view name_of(Cause cause) {
  switch (cause) {
    case Cause::kConnect:
      return "connect";
    case Cause::kReset:
      return "reset";
    case Cause::kClosedEarly:
      return "closed_early";
    case Cause::kTimeout:
      return "timeout";
    case Cause::kMalformed:
      return "malformed";
    case Cause::kStatus:
      return "status";
    case Cause::kNotFromOrigin:
      return "not_from_origin";
    case Cause::kBodyMismatch:
      return "body_mismatch";
    case Cause::kOverload:
      return "overload";
  }
  std::unreachable();
}

Failure failure_of(IoError error, std::string_view doing) {
  switch (error) {
    case IoError::kTimedOut:
      return {Cause::kTimeout, fmt::format("timed out while {}", doing)};
    case IoError::kCancelled:
      return {Cause::kReset, fmt::format("given up while {}", doing)};
    case IoError::kHandshake:
    case IoError::kReset:
      return {Cause::kReset, fmt::format("connection reset while {}", doing)};
    case IoError::kRefused:
      return {Cause::kConnect, "connection refused"};
    case IoError::kUnreachable:
      return {Cause::kConnect, "address unreachable, or no port left"};
    case IoError::kExhausted:
      return {Cause::kConnect, "out of descriptors or memory"};
    case IoError::kOverLimit:
      return {Cause::kConnect, "over a limit of its own"};
  }
  std::unreachable();
}

void FailureTally::add(Failure failure) {
  ++total_;
  Entry& entry = entries_[static_cast<size_t>(failure.cause)];
  if (entry.count++ == 0) entry.example = std::move(failure.text);
}

std::string FailureTally::to_json() const {
  std::string result = "[";
  for (size_t i = 0; i < kCauses; ++i) {
    const Entry& entry = entries_[i];
    if (entry.count == 0) continue;
    result += fmt::format("{}{{\"cause\":\"{}\",\"count\":{},\"example\":{}}}", result.size() > 1 ? "," : "",
                          name_of(static_cast<Cause>(i)), entry.count, base::json_string(entry.example));
  }
  return result + "]";
}

}  // namespace fairlead::generator
