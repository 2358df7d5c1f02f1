// The line of text in which an agent says what its server is to get (HAProxy's configuration manual, `agent-check`;
// AgentCheck in resources.proto has all words). Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "config/agent_state.h"

namespace fairlead::health {

// Adds what `line`, which has no line end, says to `state`. Where a word is not understood nothing is added, and that
// is what is returned. `said` and `problem` are the caller's.
std::optional<std::string> take_agent_line(std::string_view line, config::AgentState& state);

}  // namespace fairlead::health
