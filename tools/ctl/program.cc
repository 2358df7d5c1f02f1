#include "ctl/program.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "api/yaml.h"
#include "ctl/usage.h"
#include "ctl/values.h"

namespace fairlead::ctl {
namespace {

constexpr char kDefaultTimeout[] = "10s";

struct Found {
  const Command* command = nullptr;
  std::size_t words = 0;
};

Found find_command(const std::vector<std::string>& words) {
  for (const Command& command : commands()) {
    if (command.name == words[0]) return {&command, 1};
    if (words.size() > 1 && command.name == absl::StrCat(words[0], " ", words[1])) return {&command, 2};
  }
  return {};
}

bool is_group(const std::string& word) {
  for (const Command& command : commands()) {
    if (command.name.starts_with(word + " ")) return true;
  }
  return false;
}

// The command's options hide common ones of the same name.
std::vector<Option> options_of(const Command& command) {
  std::vector<Option> options = command.options;
  for (const Option& common : common_options()) {
    const bool hidden = std::ranges::find(command.options, common.name, &Option::name) != command.options.end();
    if (!hidden) options.push_back(common);
  }
  return options;
}

int fail(Streams& streams, const Failure& failure, const std::string& usage) {
  streams.err << "fairleadctl: " << failure.text << "\n";
  if (failure.exit_status == kExitUsage) streams.err << "Usage: " << usage << "\n";
  return failure.exit_status;
}

// What was written has to arrive; where nobody wants it any more, as of `fairleadctl ... | head`, there is no word to
// say.
int finish(Streams& streams) {
  if (streams.out) {
    errno = 0;
    streams.out.flush();
  }
  if (streams.out) return 0;
  const int reason = errno;
  if (reason != EPIPE) {
    streams.err << "fairleadctl: the output cannot be written"
                << (reason == 0 ? "" : absl::StrCat(": ", std::strerror(reason))) << "\n";
  }
  return kExitRefused;
}

// Where no whole command is named.
int explain(const std::vector<std::string>& words, bool help, const std::string& version, Streams& streams) {
  if (!version.empty()) {
    streams.out << "fairleadctl " << version << "\n";
    return finish(streams);
  }
  const bool group = !words.empty() && is_group(words[0]);
  if (help || (!words.empty() && words[0] == "help")) {
    streams.out << program_help(group ? words[0] : "");
    return finish(streams);
  }
  if (words.empty()) {
    streams.err << program_help();
    return kExitUsage;
  }
  if (group && words.size() == 1) {
    streams.err << program_help(words[0]);
    return kExitUsage;
  }
  // Not the whole help: what was wrong would have left the screen.
  const std::string named = words.size() > 1 ? absl::StrCat(words[0], " ", words[1]) : words[0];
  const std::string meant = similar_command(words);
  streams.err << "fairleadctl: unknown command \"" << printable(named) << "\""
              << (meant.empty() ? "" : absl::StrCat("; did you mean \"", meant, "\"?")) << "\nSee: fairleadctl "
              << (group ? words[0] + " " : "") << "--help\n";
  return kExitUsage;
}

// Empty where their number is right.
std::string wrong_operands(const Command& command, const std::vector<std::string>& operands) {
  if (operands.size() > command.operands_max) {
    return absl::StrCat("\"", printable(operands[command.operands_max]), "\" is one word too many");
  }
  if (operands.size() >= command.operands_min) return "";
  const std::vector<std::string> names = absl::StrSplit(command.operands, ' ');
  return absl::StrCat(names[operands.size()], " is missing");
}

struct Settings {
  std::string address;
  std::optional<TlsFiles> tls;
  Client::Timeout timeout{};
  v1::Fence fence;
  Format format = Format::kTable;
};

// A common option after the command wins over one before it, and over the environment.
Result<Settings> settings_of(const Command& command, const Arguments& leading, const Arguments& arguments,
                             const Environment& environment) {
  const auto pick = [&](const std::string& name, const std::string& fallback) {
    const bool hidden = std::ranges::find(command.options, name, &Option::name) != command.options.end();
    const std::string before = leading.value(name, fallback);
    return hidden ? before : arguments.value(name, before);
  };
  const std::string default_address = environment.address.empty() ? kDefaultAddress : environment.address;
  Result<std::string> address = parse_address(pick("address", default_address));
  if (!address) return std::unexpected(address.error());
  const TlsOptions tls{.ca = pick("tls-ca", environment.tls.ca),
                       .certificate = pick("tls-cert", environment.tls.certificate),
                       .key = pick("tls-key", environment.tls.key),
                       .server_name = pick("tls-server-name", environment.tls.server_name)};
  Result<std::optional<TlsFiles>> files = read_tls_files(tls, *address);
  if (!files) return std::unexpected(files.error());
  auto timeout = parse_duration_value("--timeout", pick("timeout", kDefaultTimeout));
  if (!timeout) return std::unexpected(timeout.error());
  Result<Format> format = parse_format(pick("output", "table"));
  if (!format) return std::unexpected(format.error());
  v1::Fence fence;
  fence.set_override(leading.has("override") || arguments.has("override"));
  if (const std::string id = pick("election-id", ""); !id.empty()) {
    Result<v1::ElectionId> parsed = parse_election_id(id);
    if (!parsed) return std::unexpected(parsed.error());
    *fence.mutable_election_id() = *parsed;
  }
  return Settings{*address, *std::move(files), to_chrono(*timeout), fence, *format};
}

int run_command(const Command& command, const Arguments& leading, std::vector<std::string> words,
                const Environment& environment, Streams& streams) {
  Result<Arguments> arguments = ArgumentParser(options_of(command)).parse(words, /*leading_only=*/false);
  if (!arguments) return fail(streams, arguments.error(), usage_line(command));
  if (leading.has("help") || arguments->has("help")) {
    streams.out << command_help(command);
    return finish(streams);
  }
  if (const std::string wrong = wrong_operands(command, arguments->operands()); !wrong.empty()) {
    return fail(streams, {kExitUsage, absl::StrCat(command.name, ": ", wrong)}, usage_line(command));
  }
  Result<Settings> settings = settings_of(command, leading, *arguments, environment);
  if (!settings) return fail(streams, settings.error(), usage_line(command));
  Client client(environment.connect(settings->address, settings->tls),
                {.address = settings->address, .tls = settings->tls.has_value()}, settings->timeout, settings->fence);
  Context context{*arguments, client, streams, settings->format};
  errno = 0;
  Result<void> done = command.run(context);
  if (!done) return fail(streams, done.error(), usage_line(command));
  return finish(streams);
}

Result<void> run_completion(Context& context) {
  const std::string script = completion_script(context.arguments.operand(0));
  if (script.empty()) return usage_error("completion: the shell is bash or zsh");
  context.streams.out << script;
  return {};
}

std::vector<Command> all_commands() {
  std::vector<Command> all;
  for (const auto& part : {server_commands(), backend_commands(), listener_commands(), certificate_commands(),
                           configuration_commands(), history_commands(), observation_commands()}) {
    all.insert(all.end(), part.begin(), part.end());
  }
  all.push_back({.name = "completion",
                 .operands = "bash|zsh",
                 .operands_min = 1,
                 .operands_max = 1,
                 .summary = "prints a completion script for a shell",
                 .examples = {"source <(fairleadctl completion bash)"},
                 .run = run_completion});
  return all;
}

}  // namespace

const std::vector<Command>& commands() {
  static const std::vector<Command> all = all_commands();
  return all;
}

std::vector<Option> common_options() {
  return {
      {.name = "address",
       .value = "ADDRESS",
       .help = absl::StrCat("unix:/path or host:port; default $FAIRLEAD_ADDRESS, then ", kDefaultAddress)},
      {.name = "tls-ca",
       .value = "FILE",
       .help = "speaks TLS at host:port, and believes whom this CA has signed; default $FAIRLEAD_TLS_CA"},
      {.name = "tls-cert", .value = "FILE", .help = "your certificate, with its chain; default $FAIRLEAD_TLS_CERT"},
      {.name = "tls-key", .value = "FILE", .help = "its private key; default $FAIRLEAD_TLS_KEY"},
      {.name = "tls-server-name",
       .value = "NAME",
       .help = "the name in the data plane's certificate; default $FAIRLEAD_TLS_SERVER_NAME, then the address's host"},
      {.name = "timeout", .value = "TIME", .help = absl::StrCat("for each call; default ", kDefaultTimeout)},
      {.name = "election-id", .value = "ID", .help = "writes as the control plane with this id: 7, or HIGH:LOW"},
      {.name = "override", .help = "writes whichever control plane is primary"},
      {.name = "output",
       .value = "FORMAT",
       .help = "table, json or yaml",
       .letter = 'o',
       .choices = {"table", "json", "yaml"}},
      {.name = "help", .help = "shows this", .letter = 'h'},
  };
}

bool print_message(Context& context, const google::protobuf::Message& message) {
  switch (context.format) {
    case Format::kTable:
      return false;
    case Format::kJson:
      context.streams.out << to_json(message) << "\n";
      return true;
    case Format::kYaml:
      context.streams.out << api::to_yaml(message);
      return true;
  }
  return false;
}

int run(std::vector<std::string> words, const Environment& environment, Streams& streams) {
  std::vector<Option> leading_options = common_options();
  leading_options.push_back({.name = "version", .help = "shows the version"});
  Result<Arguments> leading = ArgumentParser(leading_options).parse(words, /*leading_only=*/true);
  if (!leading)
    return fail(streams, leading.error(), "fairleadctl COMMAND [operands] [options]; see fairleadctl --help");
  const std::string version = leading->has("version") ? environment.version : "";
  if (words.size() > 1 && words[0] == "help") {
    words.erase(words.begin());
    words.push_back("--help");
  }
  const Found found = words.empty() ? Found{} : find_command(words);
  if (found.command != nullptr && version.empty()) {
    words.erase(words.begin(), words.begin() + static_cast<std::ptrdiff_t>(found.words));
    return run_command(*found.command, *leading, std::move(words), environment, streams);
  }
  const bool help = leading->has("help") || (!words.empty() && (words.back() == "--help" || words.back() == "-h"));
  return explain(words, help, version, streams);
}

}  // namespace fairlead::ctl
