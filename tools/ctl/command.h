// A command of fairleadctl and what it runs with.
#pragma once

#include <ostream>
#include <string>
#include <vector>

#include "ctl/arguments.h"
#include "ctl/client.h"
#include "ctl/output.h"
#include "ctl/result.h"

namespace fairlead::ctl {

// Where the output goes. `colour` and `terminal` speak of `out`.
struct Streams {
  std::ostream& out;
  std::ostream& err;
  bool terminal = false;
  bool colour = false;
};

struct Context {
  const Arguments& arguments;
  Client& client;
  Streams& streams;
  Format format = Format::kTable;
};

struct Command {
  // "server add".
  std::string name = {};
  // "BACKEND/NAME ADDRESS".
  std::string operands = {};
  std::size_t operands_min = 0;
  std::size_t operands_max = 0;
  std::string summary = {};
  // Whole sentences below the options; may be empty.
  std::string details = {};
  std::vector<Option> options = {};
  std::vector<std::string> examples = {};
  Result<void> (*run)(Context& context) = nullptr;
};

// Each file's share of the table.
std::vector<Command> server_commands();
std::vector<Command> backend_commands();
std::vector<Command> listener_commands();
std::vector<Command> certificate_commands();
std::vector<Command> configuration_commands();
std::vector<Command> history_commands();
std::vector<Command> observation_commands();

// How a server leaves: the options, and what they say.
std::vector<Option> drain_options();
Result<void> fill_drain(const Arguments& arguments, v1::Drain& drain);

// One transaction; a refused one becomes a failure with each operation's reason.
Result<v1::TransactionResult> apply_transaction(Context& context, v1::ApplyTransactionRequest& request);

// Prints as JSON or YAML; false for a table, which the caller prints.
bool print_message(Context& context, const google::protobuf::Message& message);

}  // namespace fairlead::ctl
