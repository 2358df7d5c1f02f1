// The load of a backend over several data planes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "scaling/windows.h"

namespace fairlead::scaling {

// Requests by server name.
using ServerLoads = absl::flat_hash_map<std::string, std::uint64_t>;

struct LoadBookOptions {
  // Over which the samples of one data plane are averaged.
  absl::Duration window = absl::Seconds(3);
  // How long the last average of a data plane that went silent still counts: it probably goes on serving, only its
  // management is out of reach. Then its load counts as none.
  absl::Duration memory = absl::Seconds(30);
};

class LoadBook {
 public:
  LoadBook(LoadBookOptions options, std::size_t dataplanes);

  // `in_flight` of the whole backend, on one data plane; that of its servers as of the same moment.
  void add(std::size_t dataplane, absl::Time now, double in_flight, ServerLoads servers);
  // Summed over the data planes. Nothing while no data plane has told anything recently.
  std::optional<double> total(absl::Time now);
  // As the newest samples say, summed over the data planes.
  std::uint64_t of_server(const std::string& name) const;

 private:
  struct Dataplane {
    AverageWindow window;
    double average = 0;
    absl::Time heard = absl::InfinitePast();
    ServerLoads servers;
  };

  LoadBookOptions options_;
  std::vector<Dataplane> dataplanes_;
};

}  // namespace fairlead::scaling
