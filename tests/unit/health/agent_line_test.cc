// What an agent's words mean, alone, together and one after the other.
#include "health/agent_line.h"

#include <gtest/gtest.h>

namespace fairlead::health {
namespace {

using config::AgentState;
using Wish = AgentState::Wish;

AgentState after(std::initializer_list<std::string_view> lines) {
  AgentState state;
  for (std::string_view line : lines) EXPECT_EQ(take_agent_line(line, state), std::nullopt) << line;
  return state;
}

TEST(AgentLine, EachWordMeansOneThing) {
  EXPECT_EQ(after({"75%"}), AgentState{.weight_percent = 75});
  EXPECT_EQ(after({"0%"}), AgentState{.weight_percent = 0});
  EXPECT_EQ(after({"maxconn:30"}), AgentState{.max_connections = 30});
  EXPECT_EQ(after({"drain"}), AgentState{.wish = Wish::kDrain});
  EXPECT_EQ(after({"maint"}), AgentState{.wish = Wish::kMaintenance});
  for (const char* word : {"down", "fail", "stopped", "DOWN", "Fail"}) {
    EXPECT_EQ(after({word}), AgentState{.is_down = true}) << word;
  }
  for (const char* word : {"up", "ready", "", " ", ",,\t ", "# hello"}) EXPECT_EQ(after({word}), AgentState()) << word;
}

TEST(AgentLine, WordsStandTogetherAsHaproxysManualHasThem) {
  AgentState state = after({"75% maxconn:30 up"});
  EXPECT_EQ(state, (AgentState{.weight_percent = 75, .max_connections = 30}));
  EXPECT_EQ(after({"maxconn:30,up\t75%"}), state);
  EXPECT_EQ(after({"  READY   Up,75%, MAXCONN:30 "}), state);
  EXPECT_EQ(after({"drain # down for lunch, 20%"}), AgentState{.wish = Wish::kDrain});
  EXPECT_EQ(after({"down#reason"}), AgentState{.is_down = true});
}

TEST(AgentLine, WhatIsNotSaidStays) {
  AgentState state = after({"50% drain", "maxconn:7", "down"});
  EXPECT_EQ(state, (AgentState{.weight_percent = 50, .max_connections = 7, .wish = Wish::kDrain, .is_down = true}));
  EXPECT_EQ(after({"50% drain", "maxconn:7", "down", "ready up 100% maxconn:0"}),
            (AgentState{.weight_percent = 100, .max_connections = 0}));
  EXPECT_EQ(after({"up", "down up"}), AgentState()) << "the last of a kind counts";
}

TEST(AgentLine, ALineWithAnotherWordChangesNothing) {
  AgentState before = after({"50%"});
  for (const char* word : {"hello", "75", "%", "x%", "-1%", "75%%", "25601%", "99999999999%", "maxconn:", "maxconn:x",
                           "maxconn: 30", "maxconn:1000001", "maxconn:-1", "uphill", "drained", "HTTP/1.1"}) {
    for (const std::string& line : {std::string(word), "drain " + std::string(word) + " down"}) {
      AgentState state = before;
      std::optional<std::string> problem = take_agent_line(line, state);
      ASSERT_TRUE(problem) << line;
      EXPECT_TRUE(problem->ends_with("is not a word of an agent")) << *problem;
      EXPECT_EQ(state, before) << line;
    }
  }
}

TEST(AgentLine, WhatIsNoTextIsNamedSafely) {
  AgentState state;
  EXPECT_EQ(*take_agent_line("\x01\xff", state), "\"\\u0001\\ufffd\" is not a word of an agent");
}

}  // namespace
}  // namespace fairlead::health
