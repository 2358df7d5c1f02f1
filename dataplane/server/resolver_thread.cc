#include "server/resolver_thread.h"

#include <pthread.h>

#include <random>
#include <utility>

#include "base/check.h"
#include "server/scheduling.h"

namespace fairlead::server {

ResolverThread::ResolverThread(const names::Settings& settings, names::Resolver::TakeFacts take_facts)
    : resolver_(settings, std::random_device()(), std::move(take_facts)) {}

ResolverThread::~ResolverThread() { FAIRLEAD_CHECK(!thread_.joinable()); }

void ResolverThread::watch(std::vector<std::string> names) {
  resolver_.watch(std::move(names));
  if (thread_.joinable()) return;
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "resolver");
    give_way_to_workers();
    resolver_.run();
  });
}

void ResolverThread::stop() {
  resolver_.stop();
  if (thread_.joinable()) thread_.join();
}

}  // namespace fairlead::server
