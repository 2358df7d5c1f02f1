#include "management/status.h"

#include "management/status_details.h"

namespace fairlead::management {
namespace {

grpc::StatusCode code_of(v1::Reason reason) {
  switch (reason) {
    case v1::REASON_INVALID:
    case v1::REASON_LOOP:
    case v1::REASON_REQUEST_ID_REUSED:
      return grpc::StatusCode::INVALID_ARGUMENT;
    case v1::REASON_NOT_FOUND:
      return grpc::StatusCode::NOT_FOUND;
    case v1::REASON_ALREADY_EXISTS:
      return grpc::StatusCode::ALREADY_EXISTS;
    case v1::REASON_IN_USE:
    case v1::REASON_BIND_FAILED:
    case v1::REASON_NOT_PRIMARY:
    case v1::REASON_FUTURE_VERSION:
    case v1::REASON_JOURNAL_FAILED:
    case v1::REASON_NO_ENCRYPTION:
      return grpc::StatusCode::FAILED_PRECONDITION;
    case v1::REASON_VERSION_MISMATCH:
      return grpc::StatusCode::ABORTED;
    case v1::REASON_LIMIT_EXCEEDED:
    case v1::REASON_DISK_FULL:
      return grpc::StatusCode::RESOURCE_EXHAUSTED;
    case v1::REASON_PERMISSION_DENIED:
      return grpc::StatusCode::PERMISSION_DENIED;
    case v1::REASON_UNIMPLEMENTED:
      return grpc::StatusCode::UNIMPLEMENTED;
    case v1::REASON_SHUTTING_DOWN:
      return grpc::StatusCode::UNAVAILABLE;
    default:
      return grpc::StatusCode::UNKNOWN;
  }
}

bool passes_by_itself(v1::Reason reason) {
  return reason == v1::REASON_SHUTTING_DOWN || reason == v1::REASON_DISK_FULL || reason == v1::REASON_JOURNAL_FAILED;
}

// For what passes by itself.
constexpr std::chrono::seconds kRetryDelay{1};

}  // namespace

grpc::Status to_status(const api::Failure& failure, std::optional<config::Version> present) {
  v1::OperationFailure detail;
  detail.set_resource(failure.resource);
  detail.set_reason(failure.reason);
  detail.set_field(failure.field);
  StatusDetails details;
  details.add(detail);
  std::string_view reason = v1::Reason_Name(failure.reason);
  reason.remove_prefix(std::string_view("REASON_").size());
  if (present) {
    details.add_error_info(reason, "version", std::to_string(*present));
  } else {
    details.add_error_info(reason, "resource", failure.resource);
  }
  const grpc::StatusCode code = code_of(failure.reason);
  if (code == grpc::StatusCode::INVALID_ARGUMENT) details.add_field_violation(failure.field, failure.problem);
  if (failure.reason == v1::REASON_LIMIT_EXCEEDED) details.add_quota_violation(failure.resource, failure.problem);
  if (passes_by_itself(failure.reason)) details.add_retry_after(kRetryDelay);
  return details.with(code, failure.text());
}

grpc::Status to_status(const store::Result& result) {
  if (result.failures.empty()) return grpc::Status::OK;
  return to_status(result.failures.front().failure, result.version);
}

grpc::Status to_status(store::Store::Posted posted) {
  switch (posted) {
    case store::Store::Posted::kYes:
      return grpc::Status::OK;
    case store::Store::Posted::kBusy:
      return busy("too many requests wait; try again later");
    case store::Store::Posted::kShuttingDown:
      break;
  }
  return shutting_down();
}

grpc::Status invalid(const std::string& text) { return {grpc::StatusCode::INVALID_ARGUMENT, text}; }

grpc::Status unimplemented(const std::string& text) { return {grpc::StatusCode::UNIMPLEMENTED, text}; }

grpc::Status busy(const std::string& text) {
  StatusDetails details;
  details.add_retry_after(kRetryDelay);
  return details.with(grpc::StatusCode::RESOURCE_EXHAUSTED, text);
}

grpc::Status shutting_down() {
  StatusDetails details;
  details.add_retry_after(kRetryDelay);
  return details.with(grpc::StatusCode::UNAVAILABLE, "the data plane is shutting down");
}

}  // namespace fairlead::management
