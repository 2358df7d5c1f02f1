#include "health/agent_line.h"

#include <charconv>

#include "config/text.h"
#include "config/validate.h"
#include "http/text.h"

namespace fairlead::health {
namespace {

using Wish = config::AgentState::Wish;

constexpr uint32_t kPercentMax = 25'600;

bool is_separator(char c) { return c == ' ' || c == '\t' || c == ','; }

std::optional<uint32_t> number(std::string_view text, uint32_t max) {
  uint32_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size() || value > max) return std::nullopt;
  return value;
}

// False: it is not a word of an agent.
bool take_word(std::string_view word, config::AgentState& state) {
  constexpr std::string_view kLimit = "maxconn:";
  auto is = [word](std::string_view known) { return http::equals_ignoring_case(word, known); };
  if (word.ends_with('%')) {
    state.weight_percent = number(word.substr(0, word.size() - 1), kPercentMax);
    return state.weight_percent.has_value();
  }
  if (word.size() > kLimit.size() && http::equals_ignoring_case(word.substr(0, kLimit.size()), kLimit)) {
    state.max_connections = number(word.substr(kLimit.size()), config::kMaxConnectionsMax);
    return state.max_connections.has_value();
  }
  if (is("ready")) {
    state.wish = Wish::kReady;
  } else if (is("drain")) {
    state.wish = Wish::kDrain;
  } else if (is("maint")) {
    state.wish = Wish::kMaintenance;
  } else if (is("up")) {
    state.is_down = false;
  } else if (is("down") || is("fail") || is("stopped")) {
    state.is_down = true;
  } else {
    return false;
  }
  return true;
}

}  // namespace

std::optional<std::string> take_agent_line(std::string_view line, config::AgentState& state) {
  config::AgentState after = state;
  // What stands behind "#" is for people.
  std::string_view rest = line.substr(0, line.find('#'));
  while (!rest.empty()) {
    size_t end = 0;
    while (end < rest.size() && !is_separator(rest[end])) ++end;
    std::string_view word = rest.substr(0, end);
    rest.remove_prefix(end == rest.size() ? end : end + 1);
    if (!word.empty() && !take_word(word, after)) {
      return config::concat(config::quoted(word), " is not a word of an agent");
    }
  }
  state = std::move(after);
  return std::nullopt;
}

}  // namespace fairlead::health
