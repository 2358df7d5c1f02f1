// The frames of a health call, whole and cut at every byte, and what a server may do wrong.
#include "codec/grpc_health.h"

#include <gtest/gtest.h>

namespace fairlead::codec {
namespace {

std::string frame(uint8_t type, uint8_t flags, uint32_t stream, const std::string& payload) {
  std::string out;
  out += static_cast<char>(payload.size() >> 16);
  out += static_cast<char>(payload.size() >> 8);
  out += static_cast<char>(payload.size());
  out += static_cast<char>(type);
  out += static_cast<char>(flags);
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(stream >> shift);
  return out + payload;
}

const std::string kSettings = frame(4, 0, 0, std::string("\0\x03\0\0\0\x64", 6));
const std::string kSettingsAck = frame(4, 1, 0, "");
const std::string kHeaders = frame(1, 4, 1, "\x88");

// RFC 7541 section 6.2.2, without Huffman's code.
std::string field(const std::string& name, const std::string& value) {
  return std::string(1, '\0') + static_cast<char>(name.size()) + name + static_cast<char>(value.size()) + value;
}
std::string trailers_of(const std::string& block) { return frame(1, 5, 1, block); }
std::string trailers(const std::string& grpc_status) { return trailers_of(field("grpc-status", grpc_status)); }
const std::string kTrailers = trailers("0");

std::string message(const std::string& response) {
  return std::string(4, '\0') + static_cast<char>(response.size()) + response;
}
std::string data_frame(const std::string& bytes, uint8_t flags = 0) { return frame(0, flags, 1, bytes); }
std::string answer(const std::string& response) {
  return kSettings + kHeaders + data_frame(message(response)) + kTrailers;
}

struct Outcome {
  std::string text;  // with "up " before it where it serves; empty where the call goes on
  std::string reply;
};

Outcome run(const std::string& bytes, size_t piece) {
  GrpcHealthCall call;
  Outcome outcome;
  for (size_t at = 0; at < bytes.size(); at += piece) {
    auto answer = call.take(std::string_view(bytes).substr(at, piece), outcome.reply);
    if (!answer) continue;
    outcome.text = (answer->is_serving ? "up " : "") + answer->text;
    break;
  }
  return outcome;
}

// The same however it comes.
Outcome outcome_of(const std::string& bytes) {
  Outcome whole = run(bytes, bytes.size());
  for (size_t piece : {1, 2, 3, 7, 10}) {
    Outcome cut = run(bytes, piece);
    EXPECT_EQ(cut.text, whole.text) << piece;
  }
  return whole;
}
std::string text_of(const std::string& bytes) { return outcome_of(bytes).text; }

TEST(GrpcHealth, SaysWhatTheServerSays) {
  EXPECT_EQ(text_of(answer("\x08\x01")), "up SERVING");
  EXPECT_EQ(text_of(answer("\x08\x02")), "NOT_SERVING");
  EXPECT_EQ(text_of(answer("\x08\x03")), "SERVICE_UNKNOWN");
  EXPECT_EQ(text_of(answer(std::string("\x08\0", 2))), "UNKNOWN");
  EXPECT_EQ(text_of(answer("")), "UNKNOWN");
  EXPECT_EQ(text_of(answer("\x08\x04")), "a status that nobody knows");
}

TEST(GrpcHealth, TheMessageMayHaveFieldsOfLaterVersions) {
  EXPECT_EQ(text_of(answer("\x10\x01")), "UNKNOWN");
  EXPECT_EQ(text_of(answer("\x08\x01\x10\x96\x01")), "up SERVING");
  EXPECT_EQ(text_of(answer("\x12\x03"
                           "abc"
                           "\x08\x01")),
            "up SERVING");
  EXPECT_EQ(text_of(answer("\x08\x01\x1d"
                           "1234"
                           "\x21"
                           "12345678")),
            "up SERVING");
  EXPECT_EQ(text_of(answer("\x08\x01\x08\x02")), "NOT_SERVING") << "the last one counts";
  EXPECT_EQ(text_of(answer("\x08\x81\x02")), "a status that nobody knows");
  for (const char* malformed : {"\x08", "\x08\x81",
                                "\x12\x04"
                                "abc",
                                "\x1d"
                                "123",
                                "\x08\x01\x03", "\x02\x01"}) {
    EXPECT_EQ(text_of(answer(malformed)), "a malformed message") << malformed;
  }
}

TEST(GrpcHealth, TheCallsStatusCounts) {
  const std::string serving = kSettings + kHeaders + data_frame(message("\x08\x01"));
  EXPECT_EQ(text_of(serving + trailers("13")), "grpc-status 13 (INTERNAL)");
  EXPECT_EQ(text_of(serving + trailers("17")), "grpc-status 17");
  EXPECT_EQ(text_of(serving + trailers("x")), "no grpc-status");
  EXPECT_EQ(text_of(serving + trailers_of("")), "no grpc-status");
  EXPECT_EQ(text_of(serving + trailers_of(field("grpc-message", "0"))), "no grpc-status");
  EXPECT_EQ(text_of(kSettings + trailers_of("\x88" + field("grpc-status", "12"))), "grpc-status 12 (UNIMPLEMENTED)");
  EXPECT_EQ(text_of(kSettings + trailers_of("\x88" + field("grpc-status", "0"))),
            "the call failed: there is no message");
  EXPECT_EQ(text_of(kSettings + frame(1, 4, 1, "\x8d") + data_frame(message("\x08\x01")) + kTrailers),
            "HTTP status 404");
  EXPECT_EQ(text_of(kSettings + frame(1, 4, 1,
                                      "\x48\x03"
                                      "503")),
            "HTTP status 503");
  EXPECT_EQ(text_of(kSettings + frame(1, 4, 1, field("x", "200"))), "no HTTP status");
}

TEST(GrpcHealth, StatusesAreFoundHoweverTheyAreWritten) {
  const std::string serving = kSettings + kHeaders + data_frame(message("\x08\x01"));
  const std::string name = "\x88\x9a\xca\xc8\xb2\x12\x34\xda\x8f";  // "grpc-status" in Huffman's code
  for (const std::string& block : {
           std::string("\0", 1) + name +
               "\x01"
               "0",
           "\x40" + name + "\x81\x07",
           "\x10" + name +
               "\x01"
               "0",
           // After a change of the table's size, beside an entry of that table, and names and values of every letter.
           "\x3f\xe1\x1f\xbe" + field("x-\x80\xff", "v") + "\x40" + name + "\x81\x07" + "\x7e\x81\xff",
       }) {
    EXPECT_EQ(text_of(serving + trailers_of(block)), "up SERVING");
  }
  EXPECT_EQ(text_of(serving + trailers_of("\x40" + name + "\x82\x08\xbf")), "grpc-status 12 (UNIMPLEMENTED)");
  EXPECT_EQ(text_of(kSettings + frame(1, 4, 1, "\x08\x82\x64\x02")), "HTTP status 302");
  for (const std::string& block : {std::string("\x80"),
                                   std::string("\x40\x05"
                                               "abc"),
                                   std::string("\x40\x01"
                                               "a"),
                                   std::string("\xff\xff\xff\xff\xff\x0f"), std::string("\x0f")}) {
    EXPECT_EQ(text_of(serving + trailers_of(block)), "malformed HEADERS");
  }
}

TEST(GrpcHealth, ACallWithoutAMessageFailed) {
  EXPECT_EQ(text_of(kSettings + kHeaders + kTrailers), "the call failed: there is no message");
  EXPECT_EQ(text_of(kSettings + frame(3, 0, 1, std::string("\0\0\0\x07", 4))), "reset by the server (error 7)");
  EXPECT_EQ(text_of(kSettings + frame(7, 0, 0, std::string("\0\0\0\0\0\0\0\x0bnow", 11))),
            "the server goes (error 11)");
}

TEST(GrpcHealth, WhatIsBesideTheAnswerIsAnsweredOrPassedOver) {
  const std::string ping = frame(6, 0, 0, "12345678");
  const std::string window = frame(8, 0, 0, std::string("\0\0\x10\0", 4));
  const std::string going = frame(7, 0, 0, std::string("\0\0\0\x01\0\0\0\0", 8));
  const std::string unknown = frame(0xbe, 0xff, 7, "whatever");
  const std::string priority = frame(2, 0, 1, "12345");
  Outcome outcome = outcome_of(kSettings + window + ping + kSettingsAck + kHeaders + unknown + going + priority +
                               data_frame(message("\x08\x01")) + kTrailers);
  EXPECT_EQ(outcome.text, "up SERVING");
  EXPECT_EQ(outcome.reply, kSettingsAck + frame(6, 1, 0, "12345678"));
}

TEST(GrpcHealth, PiecesPaddingAndPriorityAreUnderstood) {
  std::string padded = std::string("\x03") + message("\x08\x01") + "pad";
  EXPECT_EQ(text_of(kSettings + kHeaders + data_frame(padded, 8) + kTrailers), "up SERVING");
  std::string whole = message("\x08\x01");
  EXPECT_EQ(text_of(kSettings + kHeaders + data_frame(whole.substr(0, 3)) + data_frame("") +
                    data_frame(whole.substr(3)) + kTrailers),
            "up SERVING");
  std::string in_pieces = frame(1, 0, 1, "\x48") +
                          frame(9, 0, 1,
                                "\x03"
                                "20") +
                          frame(9, 4, 1, "0");
  EXPECT_EQ(text_of(kSettings + in_pieces + data_frame(whole) + frame(1, 1, 1, field("grpc-status", "0")) +
                    frame(9, 4, 1, "")),
            "up SERVING");
  EXPECT_EQ(text_of(kSettings + frame(1, 4 + 32, 1, "12345\x88") + data_frame(whole) + kTrailers), "up SERVING");
}

TEST(GrpcHealth, WhatBreaksTheRulesIsRefused) {
  std::string good = message("\x08\x01");
  EXPECT_EQ(text_of("HTTP/1.1 400 Bad Request\r\n\r\n"), "this is no HTTP/2");
  EXPECT_EQ(text_of("SSH-2.0-OpenSSH_9.2\r\n"), "this is no HTTP/2");
  EXPECT_EQ(text_of(kHeaders), "this is no HTTP/2");
  EXPECT_EQ(text_of(kSettingsAck), "this is no HTTP/2");
  EXPECT_EQ(text_of(kSettings + std::string("\x01\0\0\0\0\0\0\0\x01", 9)), "this is no HTTP/2") << "a huge frame";
  EXPECT_EQ(text_of(frame(4, 0, 0, "12345")), "malformed SETTINGS");
  EXPECT_EQ(text_of(frame(4, 0, 1, "")), "a frame of the connection on a stream");
  EXPECT_EQ(text_of(kSettings + frame(6, 0, 0, "1234567")), "a malformed PING");
  EXPECT_EQ(text_of(kSettings + frame(7, 0, 0, "1234567")), "a malformed GOAWAY");
  EXPECT_EQ(text_of(kSettings + frame(3, 0, 3, "1234")), "a malformed RST_STREAM");
  EXPECT_EQ(text_of(kSettings + frame(5, 4, 1, "1234")), "a push that nobody asked for");
  EXPECT_EQ(text_of(kSettings + frame(1, 4, 3, "x")), "an answer to another call");
  EXPECT_EQ(text_of(kSettings + frame(1, 4 + 8, 1, "\x05x")), "malformed HEADERS");
  EXPECT_EQ(text_of(kSettings + frame(1, 4 + 8, 1, "")), "malformed HEADERS");
  EXPECT_EQ(text_of(kSettings + kHeaders + kHeaders), "headers in the midst of the answer");
  EXPECT_EQ(text_of(kSettings + frame(1, 0, 1, "x") + kSettings), "a header block in pieces that do not fit");
  EXPECT_EQ(text_of(kSettings + frame(9, 4, 1, "x")), "a header block in pieces that do not fit");
  EXPECT_EQ(text_of(kSettings + data_frame(good)), "data that belongs to nothing");
  EXPECT_EQ(text_of(kSettings + kHeaders + frame(0, 0, 3, good)), "data that belongs to nothing");
  EXPECT_EQ(text_of(kSettings + kHeaders + data_frame("\x05x", 8)), "malformed DATA");
  EXPECT_EQ(text_of(kSettings + kHeaders + data_frame(good, 1)), "no trailers");
  EXPECT_EQ(text_of(kSettings + kHeaders + data_frame(std::string(1025, 'x'))), "a message too large to be an answer");
  EXPECT_EQ(text_of(kSettings + kHeaders + data_frame("\x01" + good.substr(1)) + kTrailers),
            "a compressed message, which nobody asked for");
  EXPECT_EQ(text_of(kSettings + kHeaders + data_frame(good + "x") + kTrailers), "a malformed message");
  EXPECT_EQ(text_of(kSettings + kHeaders + data_frame("123") + kTrailers), "a malformed message");
  std::string pings = kSettings;
  while (pings.size() <= GrpcHealthCall::kBytesMax) pings += frame(6, 0, 0, "12345678");
  EXPECT_EQ(text_of(pings), "more than 64 KiB, and no end");
  EXPECT_EQ(text_of(kSettings + kHeaders), "") << "it goes on";
}

TEST(GrpcHealth, TheCallIsFramedAsTheRfcSays) {
  std::string out = GrpcHealthCall::begin("s", "a:1");
  const std::string preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
  ASSERT_TRUE(out.starts_with(preface + frame(4, 0, 0, "")));
  std::string rest = out.substr(preface.size() + 9);
  EXPECT_EQ(rest.substr(3, 6), std::string("\x01\x04\0\0\0\x01", 6));
  EXPECT_TRUE(rest.ends_with(frame(0, 1, 1, std::string("\0\0\0\0\x03\x0a\x01s", 8))));
  EXPECT_NE(rest.find(std::string("\x04\x1c/grpc.health.v1.Health/Check")), std::string::npos);
  EXPECT_NE(rest.find(std::string("\x01\x03") + "a:1"), std::string::npos);
  // Lengths above what fits the first byte.
  std::string name(200, 'n');
  std::string longest = GrpcHealthCall::begin(name, name);
  EXPECT_NE(longest.find(std::string("\x01\x7f\x49") + name), std::string::npos);
  EXPECT_TRUE(longest.ends_with(std::string("\0\0\0\0\xcb\x0a\xc8\x01", 8) + name));
}

}  // namespace
}  // namespace fairlead::codec
