// What goes with a status for programs: google.rpc.Status and the standard details of google/rpc/error_details.proto,
// which the usual clients decode and print. Written in the wire format by hand, because no package has the schema.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "google/protobuf/message.h"
#include "grpcpp/support/status.h"

namespace fairlead::management {

// One thread. Of texts the first part only, because a trailer has room for 8 KiB in all.
class StatusDetails {
 public:
  static constexpr size_t kMessageMax = 2048;
  static constexpr size_t kTextMax = 400;

  // A message of a schema that the client has.
  void add(const google::protobuf::Message& detail);
  // google.rpc.ErrorInfo: `reason` in capitals, of the domain "fairlead"; one fact.
  void add_error_info(std::string_view reason, std::string_view key, std::string_view value);
  // google.rpc.BadRequest
  void add_field_violation(std::string_view field, std::string_view description);
  // google.rpc.QuotaFailure
  void add_quota_violation(std::string_view subject, std::string_view description);
  // google.rpc.RetryInfo
  void add_retry_after(std::chrono::milliseconds delay);

  // Of a status with this code and text.
  grpc::Status with(grpc::StatusCode code, std::string_view text) const;

 private:
  void add(std::string_view type, std::string_view content);

  // Fields of google.rpc.Status.
  std::string details_;
};

}  // namespace fairlead::management
