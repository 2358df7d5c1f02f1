// PROXY headers: whatever comes, the outcome is decided once and for all by some byte, and what is understood survives
// being written and read again.
#include <array>
#include <cstring>
#include <string>

#include "codec/proxy_protocol.h"
#include "targets.h"

namespace fairlead {
namespace {

using codec::HeadResult;
using codec::ProxyHeader;

struct Parsed {
  explicit Parsed(std::string_view input) : in(input) { result = codec::parse_proxy_header(in.text(), header); }
  Alone in;
  ProxyHeader header{};
  HeadResult result;
};

bool same_address(const sockaddr_storage& a, const sockaddr_storage& b) { return std::memcmp(&a, &b, sizeof a) == 0; }

void write_and_read(const ProxyHeader& header, bool crc32c) {
  std::array<char, codec::kMaxWrittenProxyHeader> room;
  const codec::ProxyHeaderToWrite to_write{.source = &header.source,
                                           .destination = &header.destination,
                                           .authority = header.authority,
                                           .unique_id = header.unique_id,
                                           .crc32c = crc32c};
  const size_t size = codec::write_proxy_v2(to_write, room);
  const Parsed again({room.data(), size});
  demand(again.result.complete() && again.result.consumed == size, "what we write we read");
  const bool is_unix = header.source.ss_family == AF_UNIX;
  demand(again.header.has_addresses != is_unix, "addresses of IP are written");
  if (is_unix) return;
  demand(same_address(again.header.source, header.source), "the source is the same");
  demand(same_address(again.header.destination, header.destination), "the destination is the same");
  demand(again.header.authority == header.authority && again.header.unique_id == header.unique_id,
         "texts are the same");
}

}  // namespace

void fuzz_proxy_header(std::string_view input) {
  const Parsed whole(input);
  demand(!whole.result.complete() || whole.result.consumed <= input.size(), "no bytes from nowhere");
  demand(!whole.result.incomplete() || input.size() < codec::kMaxProxyHeader, "it ends some time");
  for (size_t size = 0; size < input.size(); ++size) {
    const Parsed part(input.substr(0, size));
    if (part.result.incomplete()) continue;
    demand(part.result.outcome == whole.result.outcome && part.result.consumed == whole.result.consumed &&
               part.result.refusal == whole.result.refusal,
           "more bytes change nothing");
  }
  if (!whole.result.complete() || !whole.header.has_addresses) return;
  for (const bool crc32c : {false, true}) write_and_read(whole.header, crc32c);
}

}  // namespace fairlead
