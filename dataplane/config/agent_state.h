// What the agent beside a server has said, taken together: a fact that the reading half finds and the writing half acts
// on. A value.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace fairlead::config {

struct AgentState {
  enum class Wish : uint8_t { kReady, kDrain, kMaintenance };

  // Of the server's weight; above 100 as well.
  std::optional<uint32_t> weight_percent{};
  // 0: no limit.
  std::optional<uint32_t> max_connections{};
  Wish wish = Wish::kReady;
  bool is_down = false;
  // The last line that was understood.
  std::string said{};
  // What was wrong with the last answer; empty where it was understood.
  std::string problem{};

  bool takes_requests() const { return wish == Wish::kReady && !is_down; }
  friend bool operator==(const AgentState&, const AgentState&) = default;
};

}  // namespace fairlead::config
