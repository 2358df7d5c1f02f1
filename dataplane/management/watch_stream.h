// WatchEvents: everything that is there, a marker, then every change; or every change after one that the client knows.
#pragma once

#include <memory>
#include <optional>

#include "fairlead/v1/observation.pb.h"
#include "management/everything_cursor.h"
#include "management/write_stream.h"
#include "store/events.h"

namespace fairlead::management {

class WatchStream final : public WriteStream<v1::WatchEventsResponse> {
 public:
  WatchStream(std::shared_ptr<Context> context, grpc::CallbackServerContext& call, v1::WatchEventsRequest request)
      : WriteStream(std::move(context), call), request_(std::move(request)) {}
  void begin() override;

 private:
  // What it begins with, as of one moment in the store.
  struct Beginning {
    std::optional<store::Everything> everything{};
    // Of the events before.
    uint64_t sequence = 0;
    // Resuming was not possible.
    std::optional<config::Version> oldest_version{};
  };

  grpc::Status check() const;
  bool resumes() const { return request_.has_epoch(); }
  Beginning subscribe(store::Reader& reader);
  void subscribed(Beginning beginning);
  bool next(v1::WatchEventsResponse& response) override;
  void tell_too_old(v1::WatchEventsResponse& response);
  bool next_present(v1::WatchEventsResponse& response);

  const v1::WatchEventsRequest request_;
  // Until the snapshot is complete.
  std::optional<EverythingCursor> snapshot_;
  uint64_t snapshot_sequence_ = 0;
  // Until it is told.
  std::optional<config::Version> too_old_;
  // The last event that was told.
  config::Version told_version_ = 0;
  std::shared_ptr<store::EventQueue> queue_;
  bool subscribed_ = false;
};

}  // namespace fairlead::management
