// Operations by chance over a small world, so that names meet: most are good, some are not.
#pragma once

#include <string>

#include "fairlead/v1/management.pb.h"
#include "test_support/random.h"

namespace fairlead::management {

class RandomOperations {
 public:
  // Backends and what belongs to them carry the prefix, so that two worlds with different ones never meet.
  RandomOperations(uint64_t seed, std::string prefix) : random_(seed), prefix_(std::move(prefix)) {}

  test_support::Random& random() { return random_; }
  // Without id.
  v1::Transaction transaction(uint64_t operations_max);
  v1::Operation operation();

 private:
  std::string name(const char* kind, size_t count);
  bool one_in(uint64_t count) { return random_.between(1, count) == 1; }
  uint32_t number(uint32_t most) { return static_cast<uint32_t>(random_.between(0, most)); }

  void fill(v1::Resource& resource);
  void fill(v1::Listener& listener);
  void fill_edge(v1::Listener& listener);
  void fill(v1::Backend& backend);
  void fill(v1::HealthCheck& check);
  void fill(v1::Server& server);
  void fill(v1::Patch& patch);
  void fill(v1::Delete& request);
  void fill(google::protobuf::Duration& duration);
  void fill(google::protobuf::Map<std::string, std::string>& labels);

  test_support::Random random_;
  std::string prefix_;
};

}  // namespace fairlead::management
