// The one serialization of a resource's settings: what digests are computed over, and what the journal keeps.
//
// The message of encode.h without `metadata` and `status`, fields in the order of their numbers, map entries by key, so
// that equal settings have equal bytes, in every language (GetInfoResponse.digest says how a client computes them).
// Parses as the resource's message. Pure; any thread.
#pragma once

#include <string>

#include "config/model.h"

namespace fairlead::api {

std::string canonical(const config::Server& record, const std::string& backend);
std::string canonical(const config::Backend& record);
std::string canonical(const config::Listener& record);

}  // namespace fairlead::api
