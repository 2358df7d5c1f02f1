#include "origin/response.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "codec/body.h"
#include "codec/http1_response.h"

namespace fairlead::origin {
namespace {

// What a client makes of a response.
struct Read {
  int status = 0;
  bool keep_alive = false;
  std::string origin;
  std::string body_bytes_header;
  size_t body_bytes = 0;
  bool complete = false;
};

Read read_whole(std::string_view text, http::Method method = http::Method::kGet) {
  auto head = std::make_unique<http::ResponseHead>();
  codec::HeadResult result =
      codec::parse_response_head(text, codec::HeadLimits{}, codec::ResponseContext{.method = method}, *head);
  if (!result.complete()) return {};
  Read read;
  read.status = head->status;
  read.keep_alive = head->keep_alive;
  if (const http::Header* header = head->headers.find("X-Origin")) read.origin = header->value;
  if (const http::Header* header = head->headers.find("X-Body-Bytes")) read.body_bytes_header = header->value;
  text.remove_prefix(result.consumed);
  codec::BodyDecoder decoder(head->body);
  for (;;) {
    codec::BodyDecoder::Progress progress = decoder.decode(text);
    read.body_bytes += progress.data.size();
    text.remove_prefix(progress.consumed);
    if (progress.done || progress.consumed == 0) break;
  }
  read.complete = decoder.done() && text.empty();
  return read;
}

TEST(Responses, AreWholeWithAndWithoutChunksOfAnySize) {
  for (bool chunked : {false, true}) {
    for (size_t size : {0, 1, 34, 1000, 100000}) {
      Settings settings{.name = "o1", .body_bytes = size, .chunked = chunked};
      Responses responses(settings);
      Read answer = read_whole(responses.of(ResponseFacts{}));
      EXPECT_TRUE(answer.complete) << size << (chunked ? " in chunks" : "");
      EXPECT_EQ(answer.body_bytes, size);
      EXPECT_EQ(answer.status, 200);
      EXPECT_EQ(answer.origin, "o1");
      EXPECT_TRUE(answer.keep_alive);
      EXPECT_EQ(answer.body_bytes_header, "");
    }
  }
}

TEST(Responses, TellWhatTheRequestWas) {
  Settings settings{.name = "o1"};
  Responses responses(settings);
  Read answer =
      read_whole(responses.of(ResponseFacts{.status = 500, .close = true, .has_body = true, .body_bytes = 77}));
  EXPECT_TRUE(answer.complete);
  EXPECT_EQ(answer.status, 500);
  EXPECT_FALSE(answer.keep_alive);
  EXPECT_EQ(answer.body_bytes_header, "77");
}

TEST(Responses, ToHeadHaveNoBody) {
  for (bool chunked : {false, true}) {
    Settings settings{.name = "o1", .chunked = chunked};
    Responses responses(settings);
    Read answer = read_whole(responses.of(ResponseFacts{.head_only = true}), http::Method::kHead);
    EXPECT_TRUE(answer.complete);
    EXPECT_EQ(answer.body_bytes, 0u);
  }
}

}  // namespace
}  // namespace fairlead::origin
