#include "management/status.h"

#include "google/protobuf/any.pb.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"

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

// google.rpc.Status, as clients expect it in the trailer: code = 1, message = 2, details = 3.
std::string encode_details(grpc::StatusCode code, const std::string& text, const api::Failure& failure) {
  v1::OperationFailure detail;
  detail.set_resource(failure.resource);
  detail.set_reason(failure.reason);
  detail.set_field(failure.field);
  google::protobuf::Any any;
  any.PackFrom(detail);
  std::string packed = any.SerializeAsString();
  std::string out;
  google::protobuf::io::StringOutputStream stream(&out);
  google::protobuf::io::CodedOutputStream coded(&stream);
  constexpr uint32_t kVarint = 0;
  constexpr uint32_t kBytes = 2;
  coded.WriteTag((1 << 3) | kVarint);
  coded.WriteVarint32(static_cast<uint32_t>(code));
  coded.WriteTag((2 << 3) | kBytes);
  coded.WriteVarint32(static_cast<uint32_t>(text.size()));
  coded.WriteString(text);
  coded.WriteTag((3 << 3) | kBytes);
  coded.WriteVarint32(static_cast<uint32_t>(packed.size()));
  coded.WriteString(packed);
  coded.Trim();
  return out;
}

}  // namespace

grpc::Status to_status(const api::Failure& failure) {
  grpc::StatusCode code = code_of(failure.reason);
  // A trailer has room for 8 KiB in all.
  std::string text = failure.text().substr(0, 2048);
  return {code, text, encode_details(code, text, failure)};
}

grpc::Status to_status(const store::Result& result) {
  if (result.failures.empty()) return grpc::Status::OK;
  return to_status(result.failures.front().failure);
}

grpc::Status to_status(store::Store::Posted posted) {
  switch (posted) {
    case store::Store::Posted::kYes:
      return grpc::Status::OK;
    case store::Store::Posted::kBusy:
      return {grpc::StatusCode::RESOURCE_EXHAUSTED, "too many requests wait; try again later"};
    case store::Store::Posted::kShuttingDown:
      break;
  }
  return shutting_down();
}

grpc::Status invalid(const std::string& text) { return {grpc::StatusCode::INVALID_ARGUMENT, text}; }

grpc::Status unimplemented(const std::string& text) { return {grpc::StatusCode::UNIMPLEMENTED, text}; }

grpc::Status shutting_down() { return {grpc::StatusCode::UNAVAILABLE, "the data plane is shutting down"}; }

}  // namespace fairlead::management
