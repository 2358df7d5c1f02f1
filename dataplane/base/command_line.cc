#include "base/command_line.h"

#include <sys/resource.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/flags/usage_config.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/version.h"

namespace fairlead::base {
namespace {

// Abseil's flags are C++ names, so "--ready-file=a-b" becomes "--ready_file=a-b".
std::string with_underscores(std::string_view argument) {
  std::string result(argument);
  if (!argument.starts_with("--")) return result;
  for (size_t i = 2; i < result.size() && result[i] != '='; ++i) {
    if (result[i] == '-') result[i] = '_';
  }
  return result;
}

std::string& program_name() {
  static std::string name;
  return name;
}

}  // namespace

void parse_command_line(int argc, char** argv, const char* main_file, std::string_view usage) {
  std::string_view path = argv[0];
  program_name() = path.substr(path.rfind('/') + 1);
  absl::SetProgramUsageMessage(std::string(usage));
  absl::FlagsUsageConfig config;
  // The library tells a flag's file without the slashes that its path begins with.
  config.contains_help_flags = [main_file](absl::string_view file) { return absl::EndsWith(main_file, file); };
  config.version_string = [] { return absl::StrCat(program_name(), " ", kVersion, "\n"); };
  absl::SetFlagsUsageConfig(config);

  static std::vector<std::string> arguments;
  for (int i = 0; i < argc; ++i) arguments.push_back(i == 0 ? argv[0] : with_underscores(argv[i]));
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  std::vector<char*> rest = absl::ParseCommandLine(static_cast<int>(pointers.size()), pointers.data());
  if (rest.size() > 1)
    usage_error(rest[1], absl::StrCat("is not a flag. ", std::string(usage.substr(0, usage.find('\n')))));
}

void usage_error(std::string_view flag, std::string_view text) {
  std::fprintf(stderr, "%s: %.*s: %.*s\n", program_name().c_str(), static_cast<int>(flag.size()), flag.data(),
               static_cast<int>(text.size()), text.data());
  std::exit(2);
}

void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace fairlead::base
