// StreamUpdates: a control plane's session. Reads transactions while the window has room, answers them in order, and
// tells what became of the servers that it drains. Who may write is the store's to decide, in each transaction's turn;
// the session only says by what right it asks. Its state lives on the executor's thread, but for what a read needs.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "fairlead/v1/management.pb.h"
#include "grpcpp/support/server_callback.h"
#include "management/context.h"
#include "management/incoming.h"
#include "management/status.h"
#include "management/streams.h"
#include "store/events.h"

namespace fairlead::management {

class UpdateSession final : public grpc::ServerBidiReactor<v1::StreamUpdatesRequest, v1::StreamUpdatesResponse>,
                            public Stream,
                            public std::enable_shared_from_this<UpdateSession> {
 public:
  // `refusal`: it ends with that as soon as it has begun.
  UpdateSession(std::shared_ptr<Context> context, grpc::CallbackServerContext& call,
                std::optional<grpc::Status> refusal);

  void begin() override;

 private:
  void send_end(const grpc::Status& status) override;
  void check_silence(Executor::Clock::time_point now, std::chrono::nanoseconds silence) override;

  // What waits to be written.
  struct Outgoing {
    v1::StreamUpdatesResponse response;
    // Operations of the window that are answered when it is out.
    uint64_t operations = 0;
    // A result that a later one may stand for.
    bool is_good_result = false;
  };

  // On gRPC's threads: hand over, a transaction to the store and all else to the executor's thread.
  void OnReadDone(bool ok) override;
  void submit(const v1::Transaction& message);
  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;
  template <typename F>
  void post(F f);

  void on_read();
  void open(const v1::Open& request);
  grpc::Status check(const v1::Open& request);
  void opened(v1::Opened message);
  void begin_resync(const v1::BeginResync& request);
  void end_resync(const v1::EndResync& request);
  // Where the id does not grow, why that is refused.
  std::optional<api::Failure> take_id(uint64_t id, std::string title);
  // Or what begins or ends a resync is not for the client's role.
  std::optional<api::Failure> take_resync_id(uint64_t id, std::string title);
  void refuse_in_turn(uint64_t id, api::Failure failure);
  // Counts until the answer is out.
  std::function<void(store::Result)> answer_for(uint64_t operations);
  void on_result(const store::Result& result, uint64_t operations);
  void on_events();
  void heartbeat();
  void read_on();
  void push(Outgoing outgoing);
  void pump();
  void take_event();

  std::shared_ptr<Context> context_;
  const std::shared_ptr<const Peer> peer_;
  const std::optional<grpc::Status> refusal_;
  Incoming<v1::StreamUpdatesRequest> request_;
  // Set while the session opens. These and the last id belong to gRPC's thread between a read's start and its end, and
  // to the executor's thread otherwise.
  std::shared_ptr<const store::Origin> origin_;
  store::Fence fence_{.kind = store::Fence::Kind::kSession};
  store::ApplyOptions options_;
  uint64_t last_id_ = 0;
  std::shared_ptr<store::EventQueue> events_;
  bool event_on_its_way_ = false;

  // In operations. Grows on gRPC's thread as well, before the answer is asked for.
  std::atomic<uint64_t> unanswered_ = 0;
  bool reading_ = false;
  // When something came, or reading began again after the window was full.
  Executor::Clock::time_point heard_;
  // The client has said everything.
  bool half_closed_ = false;
  std::deque<Outgoing> outgoing_;
  bool writing_ = false;
  Executor::Clock::time_point write_began_;
};

}  // namespace fairlead::management
