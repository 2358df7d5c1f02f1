// Servers' agents over a simulated network with virtual time: what they say, and what they do not.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sim_world/checked_server.h"

namespace fairlead::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// An agent beside a server that is up.
class Agents : public testing::Test {
 protected:
  explicit Agents() {
    agent_.reads = false;
    check_.interval = seconds(1);
    check_.agent = config::AgentCheck{.place = {.port = agent_.address().port()}};
  }
  void start() {
    w_.set_check(check_);
    w_.add("s", server_.address());
  }
  // What it wants a second and a bit after it said this.
  config::AgentState wants(const std::string& answer) {
    agent_.answer = answer;
    w_.run_for(milliseconds(1'100));
    return w_.agents["s"];
  }

  HealthWorld w_{1};
  CheckedServer server_{w_, kOk};
  CheckedServer agent_{w_, "up"};
  config::HealthCheck check_ = http_check();
};

TEST_F(Agents, SayWhatTheirServersAreToGet) {
  start();
  w_.run_for(milliseconds(100));
  EXPECT_EQ(w_.told["s"], "up: status 200");
  EXPECT_EQ(w_.agents["s"].said, "up");
  config::AgentState state = wants("75% maxconn:30\r\n");
  EXPECT_EQ(state.weight_percent, 75u);
  EXPECT_EQ(state.max_connections, 30u);
  state = wants(
      "down # disk\x01"
      "full\nand more\n");
  EXPECT_TRUE(state.is_down);
  EXPECT_EQ(state.said, "down # disk?full");
  EXPECT_EQ(state.weight_percent, 75u) << "it did not take that back";
  EXPECT_EQ(w_.told["s"], "up: status 200") << "the check is another thing";
  agent_.drip = milliseconds(50);
  EXPECT_EQ(wants("drain").wish, config::AgentState::Wish::kDrain)
      << "a line may come in pieces, and end with the stream";
}

TEST_F(Agents, ThatFailChangeNothingAndTheStateSaysSo) {
  start();
  config::AgentState good = wants("50% drain\n");
  auto problem = [&](const std::string& answer) {
    config::AgentState state = wants(answer);
    EXPECT_EQ(state.said, "50% drain");
    EXPECT_EQ(state.weight_percent, 50u);
    return state.problem;
  };
  EXPECT_EQ(problem("hello\n"), "answer: \"hello\" is not a word of an agent");
  EXPECT_EQ(problem(""), "answer: closed without a word");
  EXPECT_EQ(problem(std::string(1024, ' ') + "x\n"), "answer: a line of more than 1 KiB");
  agent_.endless = "megabytes of it ";
  EXPECT_EQ(problem("up "), "answer: a line of more than 1 KiB");
  agent_.endless.clear();
  agent_.closes = false;
  w_.run_for(seconds(1));
  EXPECT_EQ(problem("up"), "answer: timed out after 1s") << "no line end, and no end";
  agent_.closes = true;
  agent_.resets = true;
  agent_.reads = true;
  w_.run_for(seconds(1));
  EXPECT_EQ(problem(""), "answer: timed out after 1s") << "an agent that waits for a question";
  agent_.reads = false;
  w_.run_for(seconds(1));
  EXPECT_EQ(problem(""), "answer: reset");
  agent_.resets = false;
  EXPECT_EQ(wants("50% drain\n"), good);
  check_.agent->place.port = 9;
  w_.set_check(check_);
  EXPECT_EQ(problem(""), "connect: refused");
}

TEST_F(Agents, AreAskedWithAText) {
  check_.agent->send = "GET me\r\n\r\n";
  agent_.reads = true;
  start();
  EXPECT_EQ(wants("maint\n").wish, config::AgentState::Wish::kMaintenance);
  EXPECT_EQ(agent_.last.start_line, "GET me");
}

TEST_F(Agents, HaveTheirOwnInterval) {
  check_.interval = seconds(60);
  check_.agent->interval = seconds(2);
  start();
  w_.run_for(seconds(40));
  EXPECT_GE(agent_.times.size(), 18u);
  EXPECT_LE(server_.times.size(), 2u);
  EXPECT_EQ(agent_.most_open, 1);
}

TEST_F(Agents, MayBeAskedAlone) {
  check_.kind = config::NoCheck();
  start();
  EXPECT_TRUE(wants("down\n").is_down);
  EXPECT_EQ(server_.times.size(), 0u);
  EXPECT_FALSE(w_.checker.statistics().at(0).is_up);
  // A check beside it, and then without it.
  check_.kind = config::TcpCheck();
  w_.set_check(check_);
  w_.check("s");
  w_.run_for(milliseconds(1'100));
  EXPECT_GT(server_.times.size(), 0u);
  size_t asked = agent_.times.size();
  check_.agent.reset();
  w_.set_check(check_);
  w_.check("s");
  w_.run_for(seconds(5));
  EXPECT_LE(agent_.times.size(), asked + 1);
}

}  // namespace
}  // namespace fairlead::sim
