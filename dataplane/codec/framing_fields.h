// The values of the fields that decide where a message ends and what the connection is used for.
#pragma once

#include <string_view>

#include "codec/head_result.h"
#include "codec/header_section.h"

namespace fairlead::codec {

// Each takes one more line of its field into the facts.
Verdict read_content_length(std::string_view value, SectionFacts& facts);
Verdict read_transfer_encoding(std::string_view value, SectionFacts& facts);
Verdict read_connection(std::string_view value, SectionFacts& facts);
Verdict read_expect(std::string_view value, SectionFacts& facts);
Verdict read_max_forwards(std::string_view value, SectionFacts& facts);
// Never refuses: a malformed value is no promise.
void read_keep_alive(std::string_view value, SectionFacts& facts);

}  // namespace fairlead::codec
