// A management service that keeps servers in a map, on a Unix socket of its own in a fresh folder, and does what a test
// tells it to. Election, resync (of everything or of a backend), heartbeats and ids are as the schema says.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "fairlead/v1/management.grpc.pb.h"
#include "threads/monitor.h"

namespace fairlead::session {

class FakeDataplane final : public fairlead::v1::ManagementService::Service {
 public:
  FakeDataplane();
  ~FakeDataplane() override;

  // "unix:...". Stays the same over stop() and start().
  const std::string& address() const { return address_; }
  void start();
  // Ends all streams.
  void stop();
  // Servers gone, another epoch.
  void forget_everything();
  void add(const fairlead::v1::Server& server);
  // In place of answering each transaction at once: only the last of so many is answered, for all.
  void answer_every(int transactions);
  void refuse_all(fairlead::v1::Reason reason);
  // In what follows: as Limits say.
  void limit(const fairlead::v1::Limits& limits);
  // Transactions are received and not answered; at `false` all of them are.
  void hold_results(bool hold);
  // Heartbeats are not answered.
  void be_silent();
  // Somebody of our name has used transaction ids up to this one.
  void used_ids_up_to(std::uint64_t id);
  // Neither streams nor lists answer any more, though the connection stays.
  void hang(bool listings);

  std::vector<fairlead::v1::Transaction> transactions();
  std::vector<fairlead::v1::Open> opens();
  int listings();
  int heartbeats();
  std::vector<std::string> servers();
  // With each change of anything here; until `holds`.
  template <typename Predicate>
  bool wait_until(Predicate holds) {
    threads::Monitor::Lock lock(watched_);
    return lock.wait_for(absl::Seconds(30), holds);
  }
  // Writes this to the stream that is open.
  void send(const fairlead::v1::StreamUpdatesResponse& response);

 private:
  using Stream = grpc::ServerReaderWriter<fairlead::v1::StreamUpdatesResponse, fairlead::v1::StreamUpdatesRequest>;

  grpc::Status StreamUpdates(grpc::ServerContext* context, Stream* stream) override;
  grpc::Status ListServers(grpc::ServerContext* context, const fairlead::v1::ListServersRequest* request,
                           fairlead::v1::ListServersResponse* response) override;
  grpc::Status GetInfo(grpc::ServerContext* context, const fairlead::v1::GetInfoRequest* request,
                       fairlead::v1::GetInfoResponse* response) override;
  // All with mutex_ held.
  void handle(const fairlead::v1::StreamUpdatesRequest& request, Stream& stream);
  void open(const fairlead::v1::Open& request, Stream& stream);
  fairlead::v1::TransactionResult result_of(const fairlead::v1::StreamUpdatesRequest& request, Stream& stream);
  fairlead::v1::TransactionResult end_resync(const fairlead::v1::EndResync& request);
  void answer(const fairlead::v1::TransactionResult& result, Stream& stream);
  fairlead::v1::TransactionResult apply(const fairlead::v1::Transaction& transaction);

  std::string folder_;
  std::string address_;
  std::unique_ptr<grpc::Server> server_;
  threads::Monitor mutex_;
  // (The other one is the service's own; this one may be held while its accessors are called.)
  threads::Monitor watched_;
  Stream* open_ = nullptr;                             // guarded by mutex_
  Stream* primary_ = nullptr;                          // guarded by mutex_
  fairlead::v1::ElectionId highest_;                   // guarded by mutex_
  fairlead::v1::Limits limits_;                        // guarded by mutex_
  bool results_held_ = false;                          // guarded by mutex_
  std::vector<fairlead::v1::TransactionResult> held_;  // guarded by mutex_
  bool silent_ = false;                                // guarded by mutex_
  std::uint64_t last_id_ = 0;                          // guarded by mutex_
  int heartbeats_ = 0;                                 // guarded by mutex_
  // The scope of the resync that is open, and what was named in it.
  std::optional<std::string> resync_;                               // guarded by mutex_
  std::set<std::string> named_;                                     // guarded by mutex_
  std::uint64_t epoch_ = 41;                                        // guarded by mutex_
  std::uint64_t version_ = 1;                                       // guarded by mutex_
  int answer_every_ = 1;                                            // guarded by mutex_
  fairlead::v1::Reason refuse_ = fairlead::v1::REASON_UNSPECIFIED;  // guarded by mutex_
  bool listings_hang_ = false;                                      // guarded by mutex_
  std::map<std::string, fairlead::v1::Server> servers_;             // guarded by mutex_
  std::vector<fairlead::v1::Transaction> transactions_;             // guarded by mutex_
  std::vector<fairlead::v1::Open> opens_;                           // guarded by mutex_
  int listings_ = 0;                                                // guarded by mutex_
};

}  // namespace fairlead::session
