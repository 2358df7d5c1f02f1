// Page tokens: opaque, bound to the query that they continue.
#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "google/protobuf/message.h"

namespace fairlead::management {

// A text that is equal for equal queries: the request without its page fields.
std::string query_text(const google::protobuf::Message& request);

// `after`: the store's key of the last item.
std::string make_page_token(const std::string& query, const std::string& after);
// The key; nothing for a token that is garbage or another query's.
std::optional<std::string> read_page_token(const std::string& query, const std::string& token);

// Default 100, at most 1000; nothing for a negative one.
std::optional<size_t> read_page_size(int32_t page_size);

}  // namespace fairlead::management
