#include "store/discovery.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "config/text.h"
#include "config/validate.h"

namespace fairlead::store {
namespace {

// Of the SRV records of one priority.
struct Class {
  uint8_t priority = 0;
  uint32_t heaviest = 0;
};

uint16_t weight_of(const config::Service& service, const Class& its) {
  uint32_t weight = service.weight;
  if (its.heaviest > config::kWeightMax) weight = weight * config::kWeightMax / its.heaviest;
  return static_cast<uint16_t>(std::max(weight, 1u));
}

}  // namespace

std::vector<config::Service> merge(std::vector<config::Service> services) {
  // The heavier of two of one priority.
  auto place = [](const config::Service& a, const config::Service& b) {
    return std::tie(a.target, a.port, a.priority, b.weight) < std::tie(b.target, b.port, b.priority, a.weight);
  };
  std::ranges::sort(services, place);
  auto same = [](const config::Service& a, const config::Service& b) {
    return a.target == b.target && a.port == b.port;
  };
  services.erase(std::ranges::unique(services, same).begin(), services.end());
  std::ranges::sort(services);
  return services;
}

std::vector<Discovered> discover(const std::vector<config::Service>& services, size_t max) {
  std::vector<Discovered> result;
  std::vector<const config::Service*> used;
  std::map<uint16_t, Class> classes;
  for (const config::Service& service : services) {
    if (used.size() == max) break;
    config::NameEndpoint address{config::concat(service.target, ":", service.port)};
    if (address.text.size() >= config::kNameMax) continue;
    used.push_back(&service);
    result.push_back({.name = kDiscoveredMark + address.text, .address = config::Endpoint(std::move(address))});
    Class& its = classes[service.priority];
    its.heaviest = std::max<uint32_t>(its.heaviest, service.weight);
  }
  uint32_t rank = 0;
  for (auto& [priority, its] : classes) its.priority = static_cast<uint8_t>(std::min(rank++, config::kPriorityMax));
  for (size_t i = 0; i < used.size(); ++i) {
    const Class& its = classes.at(used[i]->priority);
    result[i].weight = weight_of(*used[i], its);
    result[i].priority = its.priority;
  }
  return result;
}

}  // namespace fairlead::store
