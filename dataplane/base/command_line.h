// The command line of a program: Abseil's flags, spelled with dashes.
#pragma once

#include <string_view>

namespace fairlead::base {

// Parses "--ready-file PATH" as the flag ready_file; --help shows the flags of `main_file` (say __FILE__), --version
// the version. Anything that is not a flag ends the process with status 2 and `usage`'s first line.
void parse_command_line(int argc, char** argv, const char* main_file, std::string_view usage);

// Ends the process with status 2: "fairlead-origin: --listen: ...".
[[noreturn]] void usage_error(std::string_view flag, std::string_view text);

// More descriptors than the default 1024, as many as the system allows.
void raise_descriptor_limit();

}  // namespace fairlead::base
