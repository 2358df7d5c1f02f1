#include "config/discovery.h"

#include "absl/strings/ascii.h"
#include "config/text.h"

namespace fairlead::config {

std::vector<std::string> Discovery::questions() const {
  std::vector<std::string> result{service_question(srv)};
  for (const std::string& name : also) result.push_back(service_question(name));
  return result;
}

std::string Discovery::text() const {
  std::string result = srv;
  for (const std::string& name : also) result += ", " + name;
  return result;
}

std::string service_question(std::string_view srv) {
  if (srv.ends_with('.')) srv.remove_suffix(1);
  return concat(kServicePrefix, absl::AsciiStrToLower(as_absl(srv)));
}

}  // namespace fairlead::config
