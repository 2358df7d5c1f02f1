#include "proxy/request_key.h"

#include <gtest/gtest.h>

#include <string>

#include "base/md5.h"
#include "base/xxh64.h"
#include "codec/http1_request.h"

namespace fairlead::proxy {
namespace {

using balancing::Key;

config::HashSettings settings(std::string_view text) {
  auto key = config::parse_hash_key(text);
  EXPECT_TRUE(key) << text;
  config::HashSettings settings;
  settings.key = *key;
  return settings;
}

constexpr std::string_view kRequest =
    "GET /a/b?user=7&x=&y HTTP/1.1\r\n"
    "Host: Example.org:80\r\n"
    "X-User: Jo\r\n"
    "x-user: second\r\n"
    "Empty:\r\n"
    "Cookie: a=1; session=abc\r\n\r\n";

Key key_of_request(std::string_view text, std::string_view source = "10.0.0.1", std::string_view request = kRequest) {
  http::RequestHead head;
  auto parsed = codec::parse_request_head(request, {}, head);
  EXPECT_FALSE(parsed.refused() || parsed.incomplete()) << request;
  return key_of(settings(text), &head, source);
}

Key hash(std::string_view text) { return base::Xxh64::of(text); }

TEST(RequestKey, IsTheHashOfItsText) {
  EXPECT_EQ(key_of_request("{source}"), hash("10.0.0.1"));
  EXPECT_EQ(key_of_request("{source}", "2001:db8::1"), hash("2001:db8::1"));
  EXPECT_EQ(key_of_request("{path}"), hash("/a/b"));
  EXPECT_EQ(key_of_request("{uri}"), hash("/a/b?user=7&x=&y"));
  EXPECT_EQ(key_of_request("{query:user}"), hash("7"));
  EXPECT_EQ(key_of_request("{header:X-USER}"), hash("Jo"));
  EXPECT_EQ(key_of_request("{header:host}"), hash("Example.org:80"));
  EXPECT_EQ(key_of_request("{cookie:session}"), hash("abc"));
  EXPECT_EQ(key_of_request("<{header:X-User}|{query:user}>{path}"), hash("<Jo|7>/a/b"));
}

TEST(RequestKey, IsItsMd5ForARing) {
  config::HashSettings ring = settings("{source}:{source}");
  ring.type = config::HashType::kRing;
  auto words = base::Md5::of("10.0.0.1:10.0.0.1");
  EXPECT_EQ(key_of(ring, nullptr, "10.0.0.1"), Key(uint64_t{words[1]} << 32 | words[0]));
  EXPECT_EQ(key_of(ring, nullptr, "unix"), Key());
}

TEST(RequestKey, WhatIsAbsentIsEmptyUnlessAllIs) {
  EXPECT_EQ(key_of_request("{query:x}"), hash("")) << "it is there";
  EXPECT_EQ(key_of_request("{header:Empty}"), hash(""));
  EXPECT_EQ(key_of_request("{header:Absent}-{path}"), hash("-/a/b"));
  EXPECT_EQ(key_of_request("{header:Absent}"), Key());
  EXPECT_EQ(key_of_request("-{query:none}-{cookie:none}"), Key());
  EXPECT_EQ(key_of_request("{source}", "unix"), Key());
  EXPECT_EQ(key_of_request("{source}{path}", "unix"), hash("/a/b"));
}

TEST(RequestKey, AnAuthorityInTheTargetIsTheHost) {
  EXPECT_EQ(key_of_request("{header:Host}", "10.0.0.1", "GET http://a.example/p HTTP/1.1\r\nHost: a.example\r\n\r\n"),
            hash("a.example"));
  EXPECT_EQ(key_of_request("{uri}", "10.0.0.1", "GET http://a.example/p?q HTTP/1.1\r\nHost: a.example\r\n\r\n"),
            hash("/p?q"));
}

TEST(RequestKey, AConnectionHasItsSourceOnly) {
  EXPECT_EQ(key_of(settings("{source}"), nullptr, "10.0.0.1"), hash("10.0.0.1"));
  EXPECT_EQ(key_of(settings("a{path}{uri}{source}"), nullptr, "10.0.0.1"), hash("a10.0.0.1"));
  EXPECT_EQ(key_of(settings("{path}"), nullptr, "10.0.0.1"), Key());
  EXPECT_EQ(key_of(settings("{source}"), nullptr, "unix"), Key());
}

}  // namespace
}  // namespace fairlead::proxy
