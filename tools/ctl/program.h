// The program as a function: finds the command, reads its options, runs it, reports its failure.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "ctl/command.h"
#include "grpcpp/channel.h"

namespace fairlead::ctl {

struct Environment {
  // FAIRLEAD_ADDRESS; may be empty.
  std::string address;
  std::string version;
  // Given a checked address.
  std::function<std::shared_ptr<grpc::Channel>(const std::string& address)> connect;
};

const std::vector<Command>& commands();
// Known to every command.
std::vector<Option> common_options();

// The exit status. `words` without the program's name.
int run(std::vector<std::string> words, const Environment& environment, Streams& streams);

}  // namespace fairlead::ctl
