// What parsing a head may come to.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "codec/refusal_kind.h"
#include "http/quirks.h"

namespace fairlead::codec {

struct HeadLimits {
  // Of the whole head with its empty line.
  size_t max_head_bytes = 16384;
  // At most http::HeaderList::kCapacity.
  size_t max_headers = 100;
  // Of requests only: what is accepted though it is wrong.
  http::QuirkSet quirks = {};
};

// A static reason, made once: its address says which one it is. `cause` is for logs, `kind` for counters of requests.
struct Refusal {
  uint16_t status;
  std::string_view cause;
  RefusalKind kind = RefusalKind::kRequestLine;
};

enum class HeadOutcome : uint8_t {
  kIncomplete,  // Nothing is wrong yet: read more, and parse again from the first byte.
  kComplete,
  kRefused,  // Whatever follows: answer and close.
};

struct HeadResult {
  HeadOutcome outcome = HeadOutcome::kIncomplete;
  size_t consumed = 0;               // Complete: bytes of the head, the body begins behind them.
  const Refusal* refusal = nullptr;  // Refused: why. For a response only the cause counts.

  bool complete() const { return outcome == HeadOutcome::kComplete; }
  bool incomplete() const { return outcome == HeadOutcome::kIncomplete; }
  bool refused() const { return outcome == HeadOutcome::kRefused; }
};

// What one step of a parser says: null to go on, kNeedMore where the bytes end, or why the head is refused.
using Verdict = const Refusal*;
inline constexpr Verdict kGoOn = nullptr;
inline constexpr Refusal kNeedMoreBytes{.status = 0, .cause = "incomplete"};
inline constexpr Verdict kNeedMore = &kNeedMoreBytes;

}  // namespace fairlead::codec
