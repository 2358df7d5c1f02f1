// Between the load and the messages of the API.
#pragma once

#include <string>

#include "absl/time/time.h"
#include "fairlead/v1/observation.pb.h"
#include "sources/load_source.h"

namespace fairlead::sources {

fairlead::v1::StreamStatisticsRequest to_request(const std::string& backend, absl::Duration interval);

// What is in flight or queued; nothing where the answer does not name the backend. Of several of its name - those that
// are deleted finish what they have - the one that exists.
LoadSample to_sample(const fairlead::v1::StreamStatisticsResponse& response, const std::string& backend);

}  // namespace fairlead::sources
