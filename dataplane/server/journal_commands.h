// fairlead journal verify|export FILE|DIR: looks at a journal without a running data plane, and changes nothing.
#pragma once

#include <span>
#include <string>

namespace fairlead::server {

// `arguments`: those behind "journal". Returns the exit status: 0, 1 (not sound, not readable), 2 (usage).
int run_journal_command(std::span<char*> arguments);

}  // namespace fairlead::server
