#include "session/channel.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace fairlead::session {
namespace {
// A million servers' statistics fit.
constexpr int kMessageBytesMost = 256 << 20;
}  // namespace

std::shared_ptr<grpc::Channel> make_channel(const std::string& address) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 1000);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1000);
  // A proxy of the environment is for the world outside.
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetMaxReceiveMessageSize(kMessageBytesMost);
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
}

std::string describe(const grpc::Status& status) {
  // The two enumerations have the same numbers.
  const auto code = static_cast<absl::StatusCode>(status.error_code());
  if (status.error_message().empty()) return absl::StatusCodeToString(code);
  return absl::StrCat(absl::StatusCodeToString(code), ": ", status.error_message());
}

}  // namespace fairlead::session
