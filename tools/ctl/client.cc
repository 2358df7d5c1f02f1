#include "ctl/client.h"

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "api/yaml_text.h"
#include "config/endpoint.h"
#include "ctl/refusal.h"
#include "ctl/table.h"

namespace fairlead::ctl {
namespace {

// Once more after a call that was not answered.
constexpr std::chrono::seconds kPatienceForReasons(1);

std::string duration_text(std::chrono::nanoseconds duration) {
  google::protobuf::Duration message;
  message.set_seconds(duration.count() / 1'000'000'000);
  message.set_nanos(static_cast<std::int32_t>(duration.count() % 1'000'000'000));
  return api::format_duration(message);
}

bool is_port(const std::string& text) {
  int port = 0;
  return absl::SimpleAtoi(text, &port) && port >= 1 && port <= 65535;
}

// gRPC's own texts of a connection that could not be made or broke.
bool is_no_connection(const std::string& text) {
  for (const char* part : {"failed to connect", "Failed to connect", "onnection refused", "No such file or directory",
                           "Socket closed", "onnection reset", "empty address list", "DNS resolution failed"}) {
    if (absl::StrContains(text, part)) return true;
  }
  return false;
}

// Somebody took the connection and ended it: with TLS 1.3 a certificate is refused when the handshake seems to be over.
bool is_cut(const std::string& text) {
  for (const char* part : {"Endpoint read failed", "Socket closed", "onnection reset"}) {
    if (absl::StrContains(text, part)) return true;
  }
  return false;
}

// Of one that was there, and whose other side was not believed.
bool is_no_trust(const std::string& text) {
  return absl::StrContains(text, "andshake failed") || absl::StrContains(text, "is not in peer certificate");
}

// "failed to connect to all addresses; last error: UNKNOWN: ipv4:127.0.0.1:9901: Ssl handshake failed: ..."
std::string last_error(const std::string& text) {
  constexpr char kBefore[] = "last error: UNKNOWN: ";
  const std::size_t at = text.rfind(kBefore);
  return at == std::string::npos ? text : text.substr(at + sizeof kBefore - 1);
}

}  // namespace

Result<std::string> parse_address(const std::string& text) {
  if (text.starts_with("/")) return parse_address("unix:" + text);
  if (text.starts_with("unix:")) {
    const std::size_t path_bytes = text.size() - 5;
    if (path_bytes == 0) {
      return usage_error("--address: \"unix:\" needs a path, such as \"unix:/run/fairlead/management.sock\"");
    }
    if (path_bytes > config::kUnixPathMax) {
      return usage_error(absl::StrCat("--address: the path has ", path_bytes, " bytes; a Unix socket's has at most ",
                                      config::kUnixPathMax));
    }
    return text;
  }
  const std::size_t colon = text.rfind(':');
  const bool has_host = colon != std::string::npos && colon > 0;
  const bool bare_v6 = has_host && text[0] != '[' && text.find(':') != colon;
  if (!has_host || bare_v6 || !is_port(text.substr(colon + 1))) {
    return usage_error(absl::StrCat("--address: \"", text,
                                    "\" is not of the form \"unix:/path\", \"127.0.0.1:9901\" or \"[::1]:9901\""));
  }
  return text;
}

grpc::ChannelArguments channel_arguments() {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);  // a management address is never meant for the web's proxy
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 500);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1000);  // `top` waits for a data plane that restarts
  arguments.SetMaxReceiveMessageSize(-1);
  return arguments;
}

std::string Client::what_it_waits_for() const {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kPatienceForReasons);
  v1::GetInfoResponse info;
  const bool is_known = management_->GetInfo(&context, v1::GetInfoRequest(), &info).ok();
  if (!is_known || info.journal().state() != v1::JOURNAL_STATE_STALLED) return "";
  return absl::StrCat("its journal waits: ", info.journal().problem(), " (", info.journal().path(), ")");
}

Failure Client::failure(const grpc::Status& status, std::optional<Timeout> timeout) const {
  const std::string& text = status.error_message();
  switch (status.error_code()) {
    case grpc::StatusCode::UNAVAILABLE:
      if (is_no_trust(text)) {
        return {kExitRefused,
                absl::StrCat("no TLS with the data plane at ", address(), ": ", printable(last_error(text)))};
      }
      if (place_.tls && is_cut(text)) {
        return {kExitRefused,
                absl::StrCat("no TLS with the data plane at ", address(),
                             ": it ended the connection; does it take the certificate of --tls-cert? It has to be "
                             "valid now, and signed by the data plane's client CA")};
      }
      if (!is_no_connection(text)) break;
      return {kExitRefused, absl::StrCat("no data plane at ", address(),
                                         ": is fairlead running? --address or FAIRLEAD_ADDRESS says where",
                                         address().starts_with("unix:") ? "" : "; and --tls-ca where it speaks TLS")};
    case grpc::StatusCode::DEADLINE_EXCEEDED: {
      const std::string reason = what_it_waits_for();
      return {kExitRefused,
              absl::StrCat("no answer from ", address(), " within ", duration_text(timeout.value_or(timeout_)), "; ",
                           reason.empty() ? "--timeout gives it longer" : printable(reason))};
    }
    case grpc::StatusCode::UNIMPLEMENTED:
      if (!text.empty()) break;
      return {kExitRefused, absl::StrCat("the data plane at ", address(), " does not know this call")};
    default:
      break;
  }
  // A refused fence is told by the name of its field.
  const bool fenced =
      status.error_code() == grpc::StatusCode::FAILED_PRECONDITION && absl::StrContains(text, ": fence: ");
  if (!text.empty()) return {kExitRefused, printable(text) + (fenced ? kFenceHint : "")};
  return {kExitRefused,
          absl::StrCat("the data plane answered with status ", static_cast<int>(status.error_code()), " and no text")};
}

}  // namespace fairlead::ctl
