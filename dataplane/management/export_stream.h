// ExportConfig: the whole configuration at one version.
#pragma once

#include <optional>

#include "fairlead/v1/management.pb.h"
#include "management/everything_cursor.h"
#include "management/write_stream.h"

namespace fairlead::management {

class ExportStream final : public WriteStream<v1::ExportConfigResponse> {
 public:
  using WriteStream::WriteStream;
  void begin() override;

 private:
  bool next(v1::ExportConfigResponse& response) override;

  std::optional<EverythingCursor> cursor_;
  bool complete_ = false;
};

}  // namespace fairlead::management
