// Help texts.
#pragma once

#include <string>
#include <vector>

#include "ctl/command.h"

namespace fairlead::ctl {

// "fairleadctl server add BACKEND/NAME ADDRESS [options]".
std::string usage_line(const Command& command);
std::string command_help(const Command& command);
// Of all commands, or of those that begin with `group` ("server").
std::string program_help(const std::string& group = "");

// The command that was meant with words that name none; empty where it is anyone's guess.
std::string similar_command(const std::vector<std::string>& words);

// The scripts of `completion`; empty for a shell that is not known.
std::string completion_script(const std::string& shell);

}  // namespace fairlead::ctl
