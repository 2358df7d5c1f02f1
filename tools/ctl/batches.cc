#include "ctl/batches.h"

#include <algorithm>
#include <utility>

namespace fairlead::ctl {
namespace {

// Around an operation: its tag and length in the transaction.
constexpr std::size_t kFramingBytes = 8;
// For the request around the operations.
constexpr std::size_t kRequestBytes = 1024;

struct Size {
  std::size_t operations = 0;
  std::size_t bytes = 0;

  Size operator+(const Size& other) const { return {operations + other.operations, bytes + other.bytes}; }
  bool fits(const BatchLimits& limits) const {
    return operations <= limits.operations && bytes + kRequestBytes <= limits.bytes;
  }
};

Size size_of(const PlannedOperation& planned) { return {1, planned.operation.ByteSizeLong() + kFramingBytes}; }

}  // namespace

std::vector<Batch> split(std::vector<PlannedOperation> operations, const BatchLimits& limits) {
  std::vector<Batch> batches;
  Size filled;
  const auto begin_batch = [&] {
    batches.emplace_back().transaction.set_atomicity(v1::ATOMICITY_ALL_OR_NOTHING);
    filled = {};
  };
  begin_batch();
  for (auto step = operations.begin(); step != operations.end();) {
    const auto step_end =
        std::find_if(step, operations.end(), [&](const PlannedOperation& other) { return other.step != step->step; });
    Size step_size;
    for (auto next = step; next != step_end; ++next) step_size = step_size + size_of(*next);
    // A step that is too large for any transaction is cut where it must be.
    if (step_size.fits(limits) && !(filled + step_size).fits(limits)) begin_batch();
    for (; step != step_end; ++step) {
      const Size size = size_of(*step);
      if (filled.operations > 0 && !(filled + size).fits(limits)) begin_batch();
      filled = filled + size;
      *batches.back().transaction.add_operations() = std::move(step->operation);
      batches.back().origins.push_back(std::move(step->origin));
    }
  }
  return batches;
}

}  // namespace fairlead::ctl
