// Who starts and stops servers.
#pragma once

#include <map>
#include <string>
#include <variant>
#include <vector>

namespace fairlead::providers {

// A server that runs and answers.
struct Instance {
  std::string name;
  std::string address;
  // What the provider needs to find it again; travels as labels of the server.
  std::map<std::string, std::string> labels;
};

// It runs and answers.
struct Started {
  Instance instance;
};
// It could not be started; nothing of it is left.
struct StartFailed {
  std::string name;
  std::string why;
};
// The answer to `adopt`: it still lives, and is looked after from now on.
struct Adopted {
  Instance instance;
};
// The answer to `adopt`: it does not live.
struct NotAdopted {
  std::string name;
};
// It ended by itself.
struct Exited {
  std::string name;
  std::string why;
};
// The answer to `stop`.
struct Stopped {
  std::string name;
};

using Event = std::variant<Started, StartFailed, Adopted, NotAdopted, Exited, Stopped>;

// What an earlier life of this program left running.
struct Recovery {
  std::vector<Instance> instances;
  // The highest number N of any server "sN" that was ever started.
  int highest_number = 0;
};

// Processes here, and a fake in the tests. Nothing waits but `recover`; answers come as events, from any thread.
class Provider {
 public:
  virtual ~Provider() = default;

  // Once, before all others.
  virtual Recovery recover() = 0;
  virtual void start(const std::string& name) = 0;
  // A server that a data plane has and `recover` did not tell of.
  virtual void adopt(const Instance& instance) = 0;
  // Gracefully first, by force after a deadline.
  virtual void stop(const std::string& name) = 0;
};

}  // namespace fairlead::providers
