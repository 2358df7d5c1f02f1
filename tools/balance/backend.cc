#include "balance/backend.h"

#include <utility>

#include "base/check.h"
#include "fmt/format.h"

namespace fairlead::balance {

Backend::Backend(const config::Backend& settings, uint32_t servers, uint32_t weights)
    : servers_(servers), weights_(weights) {
  auto record = base::make_ref<config::Backend>(settings);
  record->name = "web";
  record->metadata.uid = model_.next_uid();
  model_.restore_backend(record);
  handle_ = state().handle();
  for (uint32_t number = 0; number < servers; ++number) {
    auto server = make_server(number);
    server->metadata.uid = model_.next_uid();
    model_.restore_server(state(), std::move(server));
  }
  publish();
}

void Backend::remove(uint32_t number) {
  base::Ref<const config::Server> server = *state().find(name_of(number));
  removed_ = server->metadata.uid;
  store::DepartingServer departing;
  departing.record = server;
  departing.backend = &state();
  departing.backend_name = "web";
  departing.handle = handle_;
  model_.remove_server(state(), std::move(server), std::move(departing));
  publish();
}

void Backend::add(uint32_t number) {
  auto server = make_server(number);
  server->metadata.uid = model_.next_uid();
  model_.add_server(state(), std::move(server));
  publish();
}

void Backend::forget_removed() { model_.release_departed(removed_); }

base::Ref<config::Server> Backend::make_server(uint32_t number) const {
  auto server = base::make_ref<config::Server>();
  server->name = name_of(number);
  if (weights_ > 1) server->weight = static_cast<uint16_t>(1 + number % weights_);
  auto address =
      config::Endpoint::parse(fmt::format("10.{}.{}.{}:80", number >> 16 & 0xff, number >> 8 & 0xff, number & 0xff));
  FAIRLEAD_CHECK(address.ok());
  server->address = *address;
  return server;
}

// All of one length, so that their order is that of the numbers.
std::string Backend::name_of(uint32_t number) { return fmt::format("server-{:07}", number); }

void Backend::publish() {
  model_.commit();
  snapshot_ = model_.make_snapshot();
}

}  // namespace fairlead::balance
