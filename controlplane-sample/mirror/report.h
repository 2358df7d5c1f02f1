// What happens to the data planes that are kept equal to a file, for people (the log) and for programs (JSON lines):
//
//   {"time":1700000000.125000,"event":"in_sync","dataplane":"unix:/run/a.sock","digest":"5915a5...","version":12}
//
// | event        | meaning                                                                                        |
// |--------------|------------------------------------------------------------------------------------------------|
// | file_loaded  | the file's text is the configuration that is wanted from now on; its "digest"                    |
// | file_refused | it is not: "why" has line and field; the last good one stays                                   |
// | in_sync      | the data plane's digest is the file's                                                          |
// | differs      | it is not, though all was said: somebody else changed what "why" names; it is repaired         |
// | refused      | the data plane refused something, or too much would be removed; "why"; it is tried again       |
// | standby      | a newer control plane is primary: nothing is said any more                                     |
// | primary      | it is not any more                                                                             |
// | session_lost | the data plane is out of reach; "why"                                                          |
#pragma once

#include <string>

#include "absl/time/time.h"
#include "mirror/mirror.h"

namespace fairlead::mirror {

struct Report {
  absl::Time time;
  // Empty for those of the file.
  std::string dataplane;
  Told told;
};

// One line, without its end.
std::string to_json(const Report& report);
// "in_sync unix:/run/a.sock: digest 5915a502eb7e2f80, version 12".
std::string to_text(const Report& report);
bool is_trouble(const Report& report);

}  // namespace fairlead::mirror
