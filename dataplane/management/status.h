// From the store's failures to the status of a unary call.
#pragma once

#include <optional>
#include <string>

#include "grpcpp/support/status.h"
#include "store/store.h"

namespace fairlead::management {

// With details for programs: the failure (fairlead.v1.OperationFailure), google.rpc.ErrorInfo with the reason and the
// `present` version or the resource, and, where they fit, BadRequest, QuotaFailure, RetryInfo.
grpc::Status to_status(const api::Failure& failure, std::optional<config::Version> present = std::nullopt);
// Of a transaction with one operation.
grpc::Status to_status(const store::Result& result);
// Of Store::read(); OK for kYes.
grpc::Status to_status(store::Store::Posted posted);
grpc::Status invalid(const std::string& text);
grpc::Status unimplemented(const std::string& text);
// RESOURCE_EXHAUSTED for a while: with google.rpc.RetryInfo, as the next one.
grpc::Status busy(const std::string& text);
grpc::Status shutting_down();

}  // namespace fairlead::management
