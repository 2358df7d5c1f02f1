// Bodies: the catalogue's rows on chunks, and lengths, each whole, byte by byte, cut in two at every point and at
// random.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <string>
#include <vector>

#include "codec/body.h"

namespace fairlead::codec {
namespace {

using namespace std::string_literals;
using http::BodyFraming;
using http::BodyKind;

struct Decoded {
  std::string data;
  size_t consumed = 0;
  bool done = false;
  std::string error;

  friend bool operator==(const Decoded&, const Decoded&) = default;
};

// Feeds the pieces, each alone in memory of its size, as a connection would.
Decoded decode_pieces(BodyFraming framing, const std::vector<std::string_view>& pieces) {
  BodyDecoder decoder(framing);
  Decoded decoded;
  for (const std::string_view piece : pieces) {
    const auto alone = std::make_unique<char[]>(piece.size());
    piece.copy(alone.get(), piece.size());
    std::string_view rest(alone.get(), piece.size());
    do {
      const BodyDecoder::Progress progress = decoder.decode(rest);
      decoded.data += progress.data;
      decoded.consumed += progress.consumed;
      decoded.done = progress.done;
      decoded.error = progress.error;
      if (progress.done || !progress.error.empty()) return decoded;
      EXPECT_TRUE(progress.consumed > 0 || rest.empty()) << "no progress";
      if (progress.consumed == 0) break;
      rest.remove_prefix(progress.consumed);
    } while (!rest.empty());
  }
  return decoded;
}

std::vector<std::string_view> cut_randomly(std::string_view text, std::mt19937& random) {
  std::vector<std::string_view> pieces;
  while (!text.empty()) {
    const size_t size = 1 + random() % std::min<size_t>(text.size(), 20);
    pieces.push_back(text.substr(0, size));
    text.remove_prefix(size);
  }
  return pieces;
}

Decoded decode_cut_everywhere(BodyFraming framing, std::string_view text) {
  const Decoded whole = decode_pieces(framing, {text});
  std::vector<std::string_view> single_bytes;
  for (size_t i = 0; i < text.size(); ++i) single_bytes.push_back(text.substr(i, 1));
  EXPECT_EQ(decode_pieces(framing, single_bytes), whole) << "byte by byte";
  for (size_t cut = 0; cut <= std::min<size_t>(text.size(), 500); ++cut) {
    EXPECT_EQ(decode_pieces(framing, {text.substr(0, cut), text.substr(cut)}), whole) << "cut at " << cut;
  }
  const auto seed = std::random_device()();
  std::mt19937 random(seed);
  for (int round = 0; round < 20; ++round) {
    EXPECT_EQ(decode_pieces(framing, cut_randomly(text, random)), whole) << "seed " << seed << " round " << round;
  }
  return whole;
}

void PrintTo(const Decoded& decoded, std::ostream* out) {
  *out << ::testing::PrintToString(decoded.data) << " consumed " << decoded.consumed
       << (decoded.done ? " done " : " open ") << decoded.error;
}

constexpr BodyFraming kChunked{.kind = BodyKind::kChunked};
const std::string kEnd = "0\r\n\r\n";

struct Row {
  std::string name;
  std::string input;
  // What the body is, or nullopt if it must be refused.
  std::optional<std::string> data;
};

void PrintTo(const Row& row, std::ostream* out) { *out << row.name; }

class ChunkedRow : public ::testing::TestWithParam<Row> {};

TEST_P(ChunkedRow, GetsItsAnswerHoweverItIsCut) {
  const Row& row = GetParam();
  const Decoded decoded = decode_cut_everywhere(kChunked, row.input + (row.data ? "GET / next" : ""));
  if (!row.data) {
    EXPECT_NE(decoded.error, "");
    return;
  }
  EXPECT_EQ(decoded.error, "");
  EXPECT_TRUE(decoded.done);
  EXPECT_EQ(decoded.data, *row.data);
  EXPECT_EQ(decoded.consumed, row.input.size()) << "the next message's bytes are not ours";
}

INSTANTIATE_TEST_SUITE_P(
    Catalogue, ChunkedRow,
    ::testing::Values(
        Row{"plain", "5\r\nhello\r\n" + kEnd, "hello"},
        Row{"two", "5\r\nhello\r\n6\r\n world\r\n" + kEnd, "hello world"}, Row{"empty", kEnd, ""},
        Row{"hex_digits", "00000000000aF\r\n" + std::string(0xaf, 'x') + "\r\n" + kEnd, std::string(0xaf, 'x')},
        Row{"several_zeros", "000\r\n\r\n", ""}, Row{"line_ends_in_data", "4\r\n\r\n\r\n\r\n" + kEnd, "\r\n\r\n"},
        Row{"74_size_0x5", "0x5\r\nhello\r\n" + kEnd, {}}, Row{"75_size_1_0", "1_0\r\n", {}},
        Row{"76_size_minus", "-1\r\n", {}}, Row{"76_size_plus", "+5\r\nhello\r\n", {}},
        Row{"77_leading_space", " 5\r\nhello\r\n", {}}, Row{"77_leading_tab", "\t5\r\nhello\r\n", {}},
        Row{"78_trailing_space", "5 \r\nhello\r\n", {}}, Row{"78_trailing_tab", "5\t\r\nhello\r\n", {}},
        Row{"78_space_before_extension", "5 ;a\r\nhello\r\n", {}},
        Row{"79_size_of_17_digits", "10000000000000005\r\n", {}},
        Row{"79_size_of_17_digits_with_zeros", "00000000000000005\r\nhello\r\n", {}},
        Row{"79_size_2_to_63", "8000000000000000\r\n", {}}, Row{"79_size_all_ones", "ffffffffffffffff\r\n", {}},
        Row{"79_size_of_16_digits", "0000000000000005\r\nhello\r\n" + kEnd, "hello"},
        Row{"80_extension", "5;a=b;c=\"d e\"\r\nhello\r\n0;x\r\n\r\n", "hello"},
        Row{"80_extension_obs_text", "5;a=\"\xc3\xa4\"\r\nhello\r\n" + kEnd, "hello"},
        Row{"81_extension_bare_line_feed", "5;a\nhello\r\n", {}},
        Row{"82_extension_carriage_return", "5;a\rb\r\nhello\r\n", {}},
        Row{"82_extension_nul", "5;a\0\r\nhello\r\n"s, {}},
        Row{"83_extension_of_64_kB", "5;" + std::string(65536, 'a') + "\r\nhello\r\n", {}},
        Row{"83_extension_at_the_limit", "5;" + std::string(4095, 'a') + "\r\nhello\r\n" + kEnd, "hello"},
        Row{"83_extension_over_the_limit", "5;" + std::string(4096, 'a') + "\r\nhello\r\n" + kEnd, {}},
        Row{"84_data_longer", "4\r\nhello\r\n", {}}, Row{"84_data_shorter", "6\r\nhello\r\n" + kEnd, {}},
        Row{"85_data_ends_in_line_feed", "5\r\nhello\n" + kEnd, {}},
        Row{"85_data_ends_in_carriage_return", "5\r\nhello\r" + kEnd, {}},
        Row{"85_size_line_ends_in_line_feed", "5\nhello\r\n", {}}, Row{"85_empty_size_line", "\r\nhello\r\n", {}},
        Row{"85_extension_without_size", ";a\r\nhello\r\n", {}},
        // Row 87: 400 of the two; all other trailers are dropped.
        Row{"87_trailer_content_length", "0\r\nContent-Length: 5\r\n\r\n", {}},
        Row{"87_trailer_transfer_encoding", "0\r\nA: b\r\ntransfer-encoding: chunked\r\n\r\n", {}},
        Row{"87_trailer_host", "0\r\nHOST: h\r\n\r\n", {}}, Row{"87_trailer_dropped", "0\r\nX: y\r\nZ:\r\n\r\n", ""},
        Row{"87_trailer_longer_name", "0\r\nTransfer-Encodings: y\r\n\r\n", ""},
        Row{"87_trailer_obs_fold", "0\r\nX: y\r\n z\r\n\r\n", {}}, Row{"87_trailer_no_colon", "0\r\nabc\r\n\r\n", {}},
        Row{"87_trailer_empty_name", "0\r\n: x\r\n\r\n", {}},
        Row{"87_trailer_space_before_colon", "0\r\nX : x\r\n\r\n", {}},
        Row{"87_trailer_nul", "0\r\nX: \0\r\n\r\n"s, {}}, Row{"87_trailer_bare_line_feed", "0\r\nX: y\n\r\n", {}},
        Row{"87_trailer_carriage_return", "0\r\nX: y\rz\r\n\r\n", {}}, Row{"87_end_of_line_feed", "0\r\n\n", {}},
        Row{"87_end_of_carriage_return", "0\r\n\rX", {}},
        Row{"87_trailers_at_the_limit", "0\r\nX:" + std::string(8190, 'a') + "\r\n\r\n", ""},
        Row{"87_trailers_over_the_limit", "0\r\nX:" + std::string(8191, 'a') + "\r\n\r\n", {}},
        Row{"87_endless_trailers",
            "0\r\n" +
                [] {
                  std::string lines;
                  for (int i = 0; i < 3000; ++i) lines += "X: y\r\n";
                  return lines;
                }(),
            {}},
        Row{"88_bad_size_behind_good", "5\r\nhello\r\nzz\r\n", {}}),
    [](const auto& row) { return "row_" + row.param.name; });

TEST(ChunkedBody, IsOpenUntilItsLastByte) {
  RecordProperty("rows", "86");
  const std::string body = "5\r\nhello\r\n0\r\nX: y\r\n\r\n";
  for (size_t size = 0; size < body.size(); ++size) {
    BodyDecoder decoder(kChunked);
    std::string_view rest = std::string_view(body).substr(0, size);
    while (!rest.empty()) rest.remove_prefix(decoder.decode(rest).consumed);
    EXPECT_FALSE(decoder.complete_at_end_of_stream()) << size;
  }
}

TEST(ChunkedBody, MayBeLimited) {
  RecordProperty("rows", "E7");
  const std::string body = "5\r\nhello\r\n6\r\n world\r\n" + kEnd;
  for (const auto& [limit, fits] :
       {std::pair(11, true), std::pair(10, false), std::pair(4, false), std::pair(0, false)}) {
    BodyDecoder decoder(kChunked);
    decoder.limit_chunks(static_cast<uint64_t>(limit));
    std::string_view rest = body;
    bool failed = false;
    while (!rest.empty() && !failed) {
      const BodyDecoder::Progress progress = decoder.decode(rest);
      failed = !progress.error.empty();
      rest.remove_prefix(progress.consumed);
    }
    EXPECT_EQ(decoder.done(), fits) << limit;
    EXPECT_EQ(decoder.is_over_limit(), !fits) << limit;
  }
}

TEST(ChunkedBody, StaysBrokenOnceItIs) {
  BodyDecoder decoder(kChunked);
  EXPECT_NE(decoder.decode("x").error, "");
  EXPECT_NE(decoder.decode("0\r\n\r\n").error, "");
  EXPECT_FALSE(decoder.done());
  EXPECT_FALSE(decoder.complete_at_end_of_stream());
}

TEST(ChunkedBody, OneCallTakesTheFramingAroundAPiece) {
  BodyDecoder decoder(kChunked);
  const BodyDecoder::Progress progress = decoder.decode("5\r\nhello\r\n0\r\n\r\nnext");
  EXPECT_EQ(progress.data, "hello");
  EXPECT_TRUE(progress.done);
  EXPECT_EQ(progress.consumed, 15);
}

TEST(LengthBody, EndsAtItsLengthHoweverItIsCut) {
  const Decoded decoded = decode_cut_everywhere({.kind = BodyKind::kLength, .length = 5}, "helloGET /");
  EXPECT_EQ(decoded, (Decoded{.data = "hello", .consumed = 5, .done = true, .error = ""}));
}

TEST(LengthBody, IsOpenUntilItsLastByte) {
  RecordProperty("rows", "66 E6");
  BodyDecoder decoder({.kind = BodyKind::kLength, .length = 5});
  EXPECT_FALSE(decoder.decode("hell").done);
  EXPECT_EQ(decoder.remaining(), 1);
  EXPECT_FALSE(decoder.complete_at_end_of_stream());
  EXPECT_TRUE(decoder.decode("o").done);
  EXPECT_TRUE(decoder.complete_at_end_of_stream());
}

TEST(EmptyBody, IsDoneWithoutInput) {
  for (const BodyFraming framing : {BodyFraming{}, BodyFraming{.kind = BodyKind::kLength, .length = 0}}) {
    BodyDecoder decoder(framing);
    EXPECT_TRUE(decoder.done());
    EXPECT_TRUE(decoder.decode("").done);
    EXPECT_EQ(decoder.decode("GET /").consumed, 0);
  }
}

TEST(UntilCloseBody, TakesAllAndEndsWithTheStream) {
  BodyDecoder decoder({.kind = BodyKind::kUntilClose});
  EXPECT_EQ(decoder.decode("abc").data, "abc");
  EXPECT_FALSE(decoder.decode("").done);
  EXPECT_TRUE(decoder.complete_at_end_of_stream());
}

TEST(ChunkLine, WhatWeWriteWeRead) {
  EXPECT_EQ(ChunkLine(1).text(), "1\r\n");
  EXPECT_EQ(ChunkLine(0xabc0).text(), "abc0\r\n");
  EXPECT_EQ(ChunkLine(UINT64_MAX).text(), "ffffffffffffffff\r\n");
  for (const size_t size : {1u, 15u, 16u, 255u, 4096u, 70'000u}) {
    const std::string data(size, 'x');
    const std::string body = std::string(ChunkLine(size).text()) + data + std::string(kChunkEndAndLastChunk);
    const Decoded decoded = decode_pieces(kChunked, {body});
    EXPECT_EQ(decoded.data, data);
    EXPECT_TRUE(decoded.done);
    EXPECT_EQ(decoded.consumed, body.size());
  }
  EXPECT_TRUE(decode_pieces(kChunked, {kLastChunk}).done);
}

}  // namespace
}  // namespace fairlead::codec
