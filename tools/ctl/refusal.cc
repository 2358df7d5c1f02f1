#include "ctl/refusal.h"

#include <algorithm>
#include <cstdint>

#include "absl/strings/str_cat.h"
#include "api/yaml.h"
#include "ctl/table.h"

namespace fairlead::ctl {
namespace {

std::string failure_text(const v1::OperationFailure& failure) {
  std::string text = failure.message();
  if (!failure.field().empty() && !text.starts_with(failure.field())) text = absl::StrCat(failure.field(), ": ", text);
  if (failure.resource().empty() || failure.message().starts_with(failure.resource()))
    return printable(failure.message());
  return printable(absl::StrCat(failure.resource(), ": ", text));
}

}  // namespace

bool is_refused(const v1::TransactionResult& result) {
  return result.outcome() == v1::OUTCOME_REFUSED || result.outcome() == v1::OUTCOME_PARTIAL;
}

bool is_version_mismatch(const v1::TransactionResult& result) {
  return is_refused(result) && result.failures_size() == 1 &&
         result.failures(0).reason() == v1::REASON_VERSION_MISMATCH;
}

Failure refusal(const v1::TransactionResult& result, const InputFile* file, const std::vector<std::string>& origins) {
  // Nobody mends more at a time, and to find a place in a large file takes a while.
  constexpr int kShownMax = 20;
  const int shown = std::min(kShownMax, result.failures_size());
  std::string text;
  for (int i = 0; i < shown; ++i) {
    const v1::OperationFailure& failure = result.failures(i);
    if (!text.empty()) text += "\n";
    const bool placed =
        file != nullptr && failure.has_index() && failure.index() < origins.size() && !origins[failure.index()].empty();
    if (placed) {
      const std::string path = absl::StrCat(origins[failure.index()], ".", failure.field());
      text += printable(api::yaml_location(file->text, file->name, path)) + ": ";
    }
    text += failure_text(failure);
  }
  const std::uint32_t total = std::max(result.failures_total(), static_cast<std::uint32_t>(result.failures_size()));
  if (total > static_cast<std::uint32_t>(shown)) absl::StrAppend(&text, "\nand ", total - shown, " more");
  if (result.failures_size() > 0 && result.failures(0).reason() == v1::REASON_NOT_PRIMARY) text += kFenceHint;
  return {kExitRefused, text.empty() ? "refused, without a reason" : text};
}

}  // namespace fairlead::ctl
