// The command line of our small programs: Abseil's flags, spelled with dashes.
#pragma once

#include <string_view>

namespace fairlead::program {

// Parses "--ready-file PATH" as the flag ready_file. Anything that is not a flag ends the process with status 2 and
// `usage`'s first line.
void parse_command_line(int argc, char** argv, std::string_view usage);

// Ends the process with status 2: "fairlead-origin: --listen: ...".
[[noreturn]] void usage_error(std::string_view flag, std::string_view text);

// More descriptors than the default 1024, as many as the system allows.
void raise_descriptor_limit();

}  // namespace fairlead::program
