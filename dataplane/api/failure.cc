#include "api/failure.h"

#include "config/text.h"
#include "config/validate.h"

namespace fairlead::api {
namespace {

std::string shown(std::string_view name) { return config::check_name(name) ? config::quoted(name) : std::string(name); }

}  // namespace

std::string Failure::text() const {
  std::string text = resource;
  for (const std::string* part : {&field, &problem}) {
    if (part->empty()) continue;
    if (!text.empty()) text += ": ";
    text += *part;
  }
  return text;
}

std::string server_title(std::string_view backend, std::string_view name) {
  return config::concat("server ", shown(backend), "/", shown(name));
}

std::string backend_title(std::string_view name) { return config::concat("backend ", shown(name)); }

std::string listener_title(std::string_view name) { return config::concat("listener ", shown(name)); }

std::string certificate_title(std::string_view name) { return config::concat("certificate ", shown(name)); }

}  // namespace fairlead::api
