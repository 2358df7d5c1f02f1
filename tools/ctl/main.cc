// fairleadctl: the command line of a Fairlead data plane.
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <iostream>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ctl/program.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"

int main(int argc, char** argv) {
  using namespace fairlead::ctl;
  // gRPC's own log would stand between the user and the sentence that says what is wrong.
  setenv("GRPC_VERBOSITY", "NONE", /*overwrite=*/0);
  std::signal(SIGPIPE, SIG_IGN);
  const auto variable = [](const char* name) -> std::string {
    const char* value = std::getenv(name);
    return value == nullptr ? "" : value;
  };
  const Environment environment{
      .address = variable("FAIRLEAD_ADDRESS"),
      .tls = {.ca = variable("FAIRLEAD_TLS_CA"),
              .certificate = variable("FAIRLEAD_TLS_CERT"),
              .key = variable("FAIRLEAD_TLS_KEY"),
              .server_name = variable("FAIRLEAD_TLS_SERVER_NAME")},
      .version = FAIRLEAD_VERSION,
      .connect =
          [](const std::string& target, const std::optional<TlsFiles>& tls) {
            grpc::ChannelArguments arguments = channel_arguments();
            if (!tls) return grpc::CreateCustomChannel(target, grpc::InsecureChannelCredentials(), arguments);
            if (!tls->server_name.empty()) arguments.SetSslTargetNameOverride(tls->server_name);
            const grpc::SslCredentialsOptions options{tls->ca, tls->key, tls->certificate};
            return grpc::CreateCustomChannel(target, grpc::SslCredentials(options), arguments);
          },
  };
  const bool terminal = isatty(STDOUT_FILENO) != 0;
  const char* no_colour = std::getenv("NO_COLOR");
  const char* kind = std::getenv("TERM");
  const bool can_paint = terminal && kind != nullptr && std::string_view(kind) != "dumb";
  Streams streams{std::cout, std::cerr, can_paint, can_paint && (no_colour == nullptr || *no_colour == '\0')};
  return run(std::vector<std::string>(argv + 1, argv + argc), environment, streams);
}
