// From the store's failures to the status of a unary call.
#pragma once

#include <string>

#include "grpcpp/support/status.h"
#include "store/store.h"

namespace fairlead::management {

// With the failure as a detail (fairlead.v1.OperationFailure), for programs.
grpc::Status to_status(const api::Failure& failure);
// Of a transaction with one operation.
grpc::Status to_status(const store::Result& result);
// Of Store::read(); OK for kYes.
grpc::Status to_status(store::Store::Posted posted);
grpc::Status invalid(const std::string& text);
grpc::Status unimplemented(const std::string& text);
grpc::Status shutting_down();

}  // namespace fairlead::management
