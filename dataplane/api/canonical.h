// The one serialization of a resource's settings: what digests are computed over, and what the journal keeps.
//
// The message of encode.h without `metadata` and `status`, fields in the order of their numbers, map entries by key, so
// that equal settings have equal bytes, in every language (GetInfoResponse.digest says how a client computes them).
// Parses as the resource's message. Pure; any thread.
#pragma once

#include <string>
#include <string_view>

#include "config/certificate.h"
#include "config/model.h"

namespace fairlead::api {

std::string canonical(const config::Server& record, const std::string& backend);
std::string canonical(const config::Backend& record);
std::string canonical(const config::Listener& record);
// Without the private key, which the chain stands for.
std::string canonical(const config::Certificate& record);

// The way back for what is many: reads canonical bytes of a server that were checked when they were written, several
// times faster than by way of the message. False where they are not what canonical() writes; decode_server() says why
// then.
bool read_canonical(std::string_view bytes, config::Server& record);

}  // namespace fairlead::api
