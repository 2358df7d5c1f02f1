// Why a transaction was refused, for people.
#pragma once

#include <string>
#include <vector>

#include "ctl/input_file.h"
#include "ctl/result.h"
#include "fairlead/v1/management.pb.h"

namespace fairlead::ctl {

// Below the text of a write that was refused because another control plane is primary.
inline constexpr char kFenceHint[] = "\n(--override writes all the same, --election-id ID as that control plane)";

bool is_refused(const v1::TransactionResult& result);

// Somebody changed the configuration after it was read.
bool is_version_mismatch(const v1::TransactionResult& result);

// A line for each operation that failed, with its place where it comes from a file: `origins` has each operation's.
Failure refusal(const v1::TransactionResult& result, const InputFile* file, const std::vector<std::string>& origins);

}  // namespace fairlead::ctl
