// The program as a function: finds the command, reads its options, runs it, reports its failure.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ctl/command.h"
#include "ctl/tls_options.h"
#include "grpcpp/channel.h"

namespace fairlead::ctl {

struct Environment {
  // FAIRLEAD_ADDRESS; may be empty.
  std::string address;
  // FAIRLEAD_TLS_CA, FAIRLEAD_TLS_CERT, FAIRLEAD_TLS_KEY, FAIRLEAD_TLS_SERVER_NAME.
  TlsOptions tls = {};
  std::string version;
  // Given a checked address; `tls`: with TLS.
  std::function<std::shared_ptr<grpc::Channel>(const std::string& address, const std::optional<TlsFiles>& tls)> connect;
};

const std::vector<Command>& commands();
// Known to every command.
std::vector<Option> common_options();

// The exit status. `words` without the program's name.
int run(std::vector<std::string> words, const Environment& environment, Streams& streams);

}  // namespace fairlead::ctl
