// A management service that keeps servers in a map, on a Unix socket of its own in a fresh folder, and does what a test
// tells it to.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
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
  // Neither streams nor lists answer any more, though the connection stays.
  void hang(bool listings);

  std::vector<fairlead::v1::Transaction> transactions();
  std::vector<fairlead::v1::Open> opens();
  int listings();
  // Writes this to the stream that is open.
  void send(const fairlead::v1::StreamUpdatesResponse& response);

 private:
  using Stream = grpc::ServerReaderWriter<fairlead::v1::StreamUpdatesResponse, fairlead::v1::StreamUpdatesRequest>;

  grpc::Status StreamUpdates(grpc::ServerContext* context, Stream* stream) override;
  grpc::Status ListServers(grpc::ServerContext* context, const fairlead::v1::ListServersRequest* request,
                           fairlead::v1::ListServersResponse* response) override;
  void handle(const fairlead::v1::StreamUpdatesRequest& request, Stream& stream);       // with mutex_ held
  fairlead::v1::TransactionResult apply(const fairlead::v1::Transaction& transaction);  // with mutex_ held

  std::string folder_;
  std::string address_;
  std::unique_ptr<grpc::Server> server_;
  threads::Monitor mutex_;
  Stream* open_ = nullptr;                                          // guarded by mutex_
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
