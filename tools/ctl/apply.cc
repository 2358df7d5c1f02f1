#include "ctl/apply.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "ctl/batches.h"
#include "ctl/change_text.h"
#include "ctl/input_file.h"
#include "ctl/refusal.h"

namespace fairlead::ctl {
namespace {

struct ApplyOptions {
  bool prune = false;
  bool dry_run = false;
};

// From what the data plane has to what the file says.
struct Plan {
  std::vector<Batch> batches;
  std::vector<ResourceChange> changes;
  // Of the configuration that was read.
  std::uint64_t version = 0;
};

Result<BatchLimits> limits_of(Client& client) {
  auto info = client.call(&Client::Management::GetInfo, v1::GetInfoRequest());
  if (!info) return std::unexpected(info.error());
  BatchLimits limits;
  if (info->limits().operations_per_transaction() > 0) limits.operations = info->limits().operations_per_transaction();
  if (info->limits().message_bytes() > 0) limits.bytes = info->limits().message_bytes();
  return limits;
}

Result<Plan> plan(Context& context, const InputFile& file, const BatchLimits& limits, const ApplyOptions& options) {
  Result<Export> present = export_all(context.client);
  if (!present) return std::unexpected(present.error());
  Result<ResourceSet> present_set = ResourceSet::from(present->resources, "");
  if (!present_set) return std::unexpected(present_set.error());
  std::vector<PlannedOperation> operations = operations_to(*present_set, file.set, options.prune);
  std::vector<Batch> batches = split(operations, limits);
  // One transaction takes all or nothing, so what changes nothing is left out where that saves others.
  if (batches.size() > 1) {
    std::erase_if(operations, [](const PlannedOperation& planned) { return planned.changes_nothing; });
    batches = split(std::move(operations), limits);
  }
  return Plan{std::move(batches), changes(*present_set, file.set, options.prune), present->version};
}

// Of several transactions, what became of those before the one that failed, and of those after it.
Failure with_what_holds(Failure failure, std::size_t done, std::size_t count) {
  if (count == 1) return failure;
  if (done == 0) {
    absl::StrAppend(&failure.text, "\nit was the first of ", count, " transactions; the others were not sent");
    return failure;
  }
  const std::string holds = done == 1 ? absl::StrCat("transaction 1 of ", count, " holds")
                                      : absl::StrCat("transactions 1 to ", done, " of ", count, " hold");
  absl::StrAppend(&failure.text, "\n", holds, ", nothing of the others; apply again once this is mended");
  return failure;
}

// With --prune each transaction holds for the version that the one before it left: what somebody adds in between is
// neither removed unseen nor forgotten. A result with a version mismatch means that it was not applied.
Result<v1::TransactionResult> apply_plan(Context& context, const InputFile& file, Plan& plan,
                                         const ApplyOptions& options) {
  const std::size_t count = options.dry_run ? 1 : plan.batches.size();
  std::uint64_t version = plan.version;
  v1::TransactionResult result;
  for (std::size_t i = 0; i < count; ++i) {
    Batch& batch = plan.batches[i];
    v1::ApplyTransactionRequest request;
    *request.mutable_transaction() = std::move(batch.transaction);
    request.mutable_transaction()->set_validate_only(options.dry_run);
    if (options.prune) request.mutable_transaction()->set_expected_version(version);
    auto response = context.client.call(&Client::Management::ApplyTransaction, request);
    if (!response) return std::unexpected(with_what_holds(response.error(), i, plan.batches.size()));
    result = response->result();
    if (is_version_mismatch(result)) return result;
    if (is_refused(result)) {
      return std::unexpected(with_what_holds(refusal(result, &file, batch.origins), i, plan.batches.size()));
    }
    version = result.version();
    if (count == 1) continue;
    context.streams.err << "transaction " << i + 1 << " of " << count << ": " << request.transaction().operations_size()
                        << " operations (version " << version << ")\n"
                        << std::flush;
  }
  return result;
}

void print_applied(Context& context, const Plan& plan, const v1::TransactionResult& result,
                   const ApplyOptions& options) {
  if (options.dry_run && plan.batches.size() > 1) {
    context.streams.err << "needs " << plan.batches.size()
                        << " transactions, of which only the first could be checked: the others build on it\n";
  }
  if (print_message(context, result)) return;
  if (options.dry_run) print_changes(context.streams, plan.changes);
  const std::string transactions =
      plan.batches.size() > 1 ? absl::StrCat(" in ", plan.batches.size(), " transactions") : "";
  context.streams.out << (options.dry_run ? "would apply: " : "applied: ") << count_text(plan.changes) << transactions
                      << " (version " << result.version() << ")\n";
}

}  // namespace

Result<void> run_apply(Context& context) {
  Result<InputFile> file = read_input(context.arguments);
  if (!file) return std::unexpected(file.error());
  const ApplyOptions options{.prune = context.arguments.has("prune"), .dry_run = context.arguments.has("dry-run")};
  if (options.prune && file->set.empty()) {
    return refused(file->name + " names no resource: --prune would delete everything");
  }
  Result<BatchLimits> limits = limits_of(context.client);
  if (!limits) return std::unexpected(limits.error());
  constexpr int kTries = 5;
  for (int i = 0; i < kTries; ++i) {
    Result<Plan> planned = plan(context, *file, *limits, options);
    if (!planned) return std::unexpected(planned.error());
    Result<v1::TransactionResult> applied = apply_plan(context, *file, *planned, options);
    if (!applied) return std::unexpected(applied.error());
    // What was applied before it stays, and the next plan begins there.
    if (is_version_mismatch(*applied)) continue;
    print_applied(context, *planned, *applied, options);
    return {};
  }
  return refused("others change the configuration all the time; try again, or without --prune");
}

}  // namespace fairlead::ctl
