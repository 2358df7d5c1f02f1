#include "scaling/load_book.h"

#include <utility>

namespace fairlead::scaling {

LoadBook::LoadBook(LoadBookOptions options, std::size_t dataplanes)
    : options_(options), dataplanes_(dataplanes, Dataplane{.window = AverageWindow(options.window), .servers = {}}) {}

void LoadBook::add(std::size_t dataplane, absl::Time now, double in_flight, ServerLoads servers) {
  Dataplane& told = dataplanes_[dataplane];
  told.window.add(now, in_flight);
  told.average = told.window.average(now).value_or(in_flight);
  told.heard = now;
  told.servers = std::move(servers);
}

std::optional<double> LoadBook::total(absl::Time now) {
  std::optional<double> sum;
  for (Dataplane& dataplane : dataplanes_) {
    if (dataplane.heard + options_.memory < now) continue;
    sum = sum.value_or(0) + dataplane.window.average(now).value_or(dataplane.average);
  }
  return sum;
}

std::uint64_t LoadBook::of_server(const std::string& name) const {
  std::uint64_t sum = 0;
  for (const Dataplane& dataplane : dataplanes_) {
    const auto found = dataplane.servers.find(name);
    if (found != dataplane.servers.end()) sum += found->second;
  }
  return sum;
}

}  // namespace fairlead::scaling
