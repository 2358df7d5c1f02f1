// A client that watches events and keeps, from them alone, what it believes is there.
#pragma once

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "fairlead/v1/observation.grpc.pb.h"

namespace fairlead::management {

// By kind and name, of metadata and settings: what an event told last.
using Believed = std::map<std::string, std::string>;

// The key and the value in Believed; without status.
std::pair<std::string, std::string> belief(const v1::Resource& resource);
Believed beliefs(const v1::Resources& resources);
// What one has and the other has not, by key; empty where they are equal.
std::string difference(const Believed& is, const Believed& should_be);

class WatchingClient {
 public:
  explicit WatchingClient(v1::ObservationService::Stub& stub) : stub_(stub) {}
  ~WatchingClient() { stop(); }

  // Forgets, and begins with a snapshot.
  void begin();
  // Ends the call; what is believed stays.
  void stop();
  // Until an event of this version came (there must be one), or the call ended. What is believed then.
  Believed wait_for(uint64_t version);
  // What contradicted the events before it; empty: nothing.
  std::string contradiction() const;

 private:
  void read(grpc::ClientReader<v1::WatchEventsResponse>& reader);
  void take(const v1::ResourceEvent& event);

  v1::ObservationService::Stub& stub_;
  std::unique_ptr<grpc::ClientContext> context_;
  std::thread thread_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  Believed believed_;
  uint64_t version_ = 0;
  bool in_snapshot_ = false;
  bool ended_ = false;
  std::string contradiction_;
};

}  // namespace fairlead::management
