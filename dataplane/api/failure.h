// Why something that a client sent does not hold: the schema's OperationFailure before it has a position.
#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "fairlead/v1/management.pb.h"

namespace fairlead::api {

struct Failure {
  v1::Reason reason = v1::REASON_INVALID;
  // "server web/s1"; safe to print.
  std::string resource;
  // Path of the field, "routes[2].backend"; empty where none is to blame.
  std::string field;
  // What is wrong and what would be right.
  std::string problem;

  // "server web/s1: weight: 300 is out of range [0, 256]"
  std::string text() const;
};

template <typename T>
using Decoded = std::expected<T, Failure>;

// How a resource is called in texts; parts that are not names are escaped.
std::string server_title(std::string_view backend, std::string_view name);
std::string backend_title(std::string_view name);
std::string listener_title(std::string_view name);
std::string certificate_title(std::string_view name);

}  // namespace fairlead::api
