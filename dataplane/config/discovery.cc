#include "config/discovery.h"

#include "absl/strings/ascii.h"
#include "config/text.h"

namespace fairlead::config {

std::string service_question(std::string_view srv) {
  if (srv.ends_with('.')) srv.remove_suffix(1);
  return concat(kServicePrefix, absl::AsciiStrToLower(as_absl(srv)));
}

}  // namespace fairlead::config
