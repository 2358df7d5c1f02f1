// The thread that resolves names: one for the process, from the first name on, and behind the workers where processors
// are short.
#pragma once

#include <string>
#include <thread>
#include <vector>

#include "names/resolver.h"

namespace fairlead::server {

class ResolverThread {
 public:
  ResolverThread(const names::Settings& settings, names::Resolver::TakeFacts take_facts);
  // Requires stop(), where there was a name.
  ~ResolverThread();

  // As the Resolver's; of one thread.
  void watch(std::vector<std::string> names);
  void forget(std::vector<std::string> names) { resolver_.forget(std::move(names)); }
  names::Resolver::Counts counts() const { return resolver_.counts(); }
  // What is under way is broken off. Nothing is told any more.
  void stop();

 private:
  names::Resolver resolver_;
  std::thread thread_;
};

}  // namespace fairlead::server
