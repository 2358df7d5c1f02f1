// WatchEvents: everything that is there, a marker, then every change.
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
  WatchStream(std::shared_ptr<Context> context, v1::WatchEventsRequest request)
      : WriteStream(std::move(context)), request_(std::move(request)) {}
  void begin() override;

 private:
  void subscribed(std::optional<store::Everything> everything);
  bool next(v1::WatchEventsResponse& response) override;
  bool next_present(v1::WatchEventsResponse& response);

  const v1::WatchEventsRequest request_;
  // Until the snapshot is complete.
  std::optional<EverythingCursor> snapshot_;
  std::shared_ptr<store::EventQueue> queue_;
  bool subscribed_ = false;
};

}  // namespace fairlead::management
