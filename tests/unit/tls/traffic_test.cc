#include "tls/traffic.h"

#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"

namespace fairlead::tls {
namespace {

std::string bytes_of(std::string_view digits) {
  std::string plain;
  for (char digit : digits) {
    if (digit != ' ') plain += digit;
  }
  return absl::HexStringToBytes(plain);
}

Secret secret_of(std::string_view digits) {
  Secret secret;
  const std::string bytes = bytes_of(digits);
  std::copy(bytes.begin(), bytes.end(), secret.bytes.begin());
  secret.size = static_cast<uint8_t>(bytes.size());
  return secret;
}

Secret random_secret(std::mt19937& random, Suite suite) {
  Secret secret;
  secret.size = suite == Suite::kAes256Gcm ? 48 : 32;
  for (uint8_t& byte : std::span(secret.bytes).first(secret.size)) byte = static_cast<uint8_t>(random());
  return secret;
}

struct Taken {
  Traffic::Opened opened;
  std::string data;
};
// The first record of `input`, which is whole.
Taken take(Traffic& by, std::string& input) {
  const size_t size = Traffic::whole_record(input).value();
  std::string memory(Traffic::room_for(std::string_view(input).substr(0, size)), '?');
  Taken taken{.opened = by.open(std::string_view(input).substr(0, size), memory.data()), .data = {}};
  if (taken.opened.kind == Traffic::Kind::kData) taken.data = memory.substr(0, taken.opened.size);
  input.erase(0, size);
  return taken;
}

std::string seal(Traffic& by, std::string_view plain) {
  std::string out(Traffic::sealed_size(plain.size()), '\0');
  out.resize(by.seal(plain, out.data()));
  return out;
}

std::string seal_alert(Traffic& by, uint8_t alert) {
  std::string out(Traffic::kAlertSize, '\0');
  EXPECT_EQ(by.seal_alert(alert, out.data()), out.size());
  return out;
}

std::string seal_key_update(Traffic& by) {
  std::string out(Traffic::kKeyUpdateSize, '\0');
  EXPECT_EQ(by.seal_key_update(out.data()), out.size());
  return out;
}

// RFC 8448 section 3, from the ticket on, which is the server's first record.
TEST(Traffic, IsAsInTheExampleOfTheRfc) {
  RecordCiphers ciphers;
  Traffic server(ciphers, Suite::kAes128Gcm,
                 secret_of("9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5"),
                 secret_of("a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643"), 1);
  std::string data;
  for (char byte = 0; byte < 50; ++byte) data += byte;
  std::string client_data = bytes_of(
      "17 03 03 00 43 a2 3f 70 54 b6 2c 94 d0 af fa fe 82 28 ba 55 cb ef ac ea 42 f9 14 aa 66 bc ab 3f 2b 98 19 a8 a5 "
      "b4 6b"
      "39 5b d5 4a 9a 20 44 1e 2b 62 97 4e 1f 5a 62 92 a2 97 70 14 bd 1e 3d ea e6 3a ee bb 21 69 49 15 e4");
  EXPECT_EQ(take(server, client_data).data, data);
  EXPECT_EQ(
      seal(server, data),
      bytes_of(
          "17 03 03 00 43 2e 93 7e 11 ef 4a c7 40 e5 38 ad 36 00 5f c4 a4 69 32 fc 32 25 d0 5f 82 aa 1b 36 e3 0e fa f9 "
          "7d"
          "90 e6 df fc 60 2d cb 50 1a 59 a8 fc c4 9c 4b f2 e5 f0 a2 1c 00 47 c2 ab f3 32 54 0d d0 32 e1 67 c2 95 5d"));
  std::string client_end = bytes_of("17 03 03 00 13 c9 87 27 60 65 56 66 b7 4d 7f f1 15 3e fd 6d b6 d0 b0 e3");
  EXPECT_EQ(take(server, client_end).opened.kind, Traffic::Kind::kEnd);
  EXPECT_EQ(seal_alert(server, Traffic::kCloseNotify),
            bytes_of("17 03 03 00 13 b5 8f d6 71 66 eb f5 99 d2 47 20 cf be 7e fa 7a 88 64 a9"));
}

class Pair : public testing::TestWithParam<Suite> {
 protected:
  std::mt19937 random_{8446};
  const Secret one_ = random_secret(random_, GetParam());
  const Secret other_ = random_secret(random_, GetParam());
  RecordCiphers ciphers_;
  Traffic a_{ciphers_, GetParam(), one_, other_, 0};
  Traffic b_{ciphers_, GetParam(), other_, one_, 0};
};

TEST_P(Pair, UnderstandsItselfAcrossNewKeys) {
  for (int i = 0; i < 200; ++i) {
    std::string data(random_() % 40'000 + 1, static_cast<char>(random_()));
    Traffic& from = random_() % 2 == 0 ? a_ : b_;
    Traffic& to = &from == &a_ ? b_ : a_;
    std::string sent = random_() % 4 == 0 ? seal_key_update(from) : "";
    if (!sent.empty()) {
      EXPECT_EQ(take(to, sent).opened.kind, Traffic::Kind::kNothing);
    }
    sent = seal(from, data);
    std::string received;
    while (!sent.empty()) received += take(to, sent).data;
    ASSERT_TRUE(received == data);
  }
  EXPECT_FALSE(a_.owes_key_update()) << "nobody has asked";
}

// RFC 8446 section 5.5.
TEST_P(Pair, AKeyThatHasHadAllItsRecordsIsReplaced) {
  constexpr uint64_t kSent = (1 << 24) - 1;
  Traffic writer(ciphers_, GetParam(), one_, other_, kSent);
  TrafficKeys reader(ciphers_, GetParam(), TrafficKeys::Use::kOpening, other_, kSent);
  auto read = [&](const std::string& record) {
    std::string plain(Traffic::room_for(record), '\0');
    EXPECT_TRUE(reader.open(record, plain.data()));
    return plain;
  };
  EXPECT_FALSE(writer.owes_key_update());
  EXPECT_EQ(read(seal(writer, "the last")), "the last\x17");
  EXPECT_TRUE(writer.owes_key_update());
  EXPECT_EQ(read(seal_key_update(writer)), std::string("\x18\0\0\1\0\x16", 6));
  reader.update();
  EXPECT_FALSE(writer.owes_key_update());
  EXPECT_EQ(read(seal(writer, "the first")), "the first\x17");
}

// Some have their contexts and others have lost them, some have new keys, and some go while others come.
TEST_P(Pair, ManyShareTheCiphers) {
  struct Connection {
    Connection(RecordCiphers& shared, Suite suite, const Secret& one, const Secret& other)
        : a(shared, suite, one, other, 0), b(own, suite, other, one, 0) {}
    RecordCiphers own;
    Traffic a, b;
  };
  std::vector<std::unique_ptr<Connection>> connections(RecordCiphers::kContextsMax * 3 / 4);
  for (size_t i = 0; i < 20 * connections.size(); ++i) {
    // Those in front more often: these are likely to find their contexts.
    std::unique_ptr<Connection>& connection = connections[std::min(random_(), random_()) % connections.size()];
    if (!connection || random_() % 16 == 0) {
      connection = std::make_unique<Connection>(ciphers_, GetParam(), random_secret(random_, GetParam()),
                                                random_secret(random_, GetParam()));
    }
    Traffic& from = random_() % 2 == 0 ? connection->a : connection->b;
    Traffic& to = &from == &connection->a ? connection->b : connection->a;
    if (random_() % 8 == 0) {
      std::string update = seal_key_update(from);
      ASSERT_EQ(take(to, update).opened.kind, Traffic::Kind::kNothing);
    }
    const std::string data(random_() % 100 + 1, static_cast<char>(random_()));
    std::string sent = seal(from, data);
    ASSERT_EQ(take(to, sent).data, data) << i;
  }
}

TEST_P(Pair, TakesNothingThatWasChangedOrComesTwiceOrTooEarly) {
  const std::string first = seal(b_, "first"), second = seal(b_, "second");
  for (size_t at = 0; at < first.size(); ++at) {
    if (at == 3 || at == 4) continue;  // another length is another record
    Traffic reader(ciphers_, GetParam(), one_, other_, 0);
    std::string changed = first;
    changed[at] = static_cast<char>(changed[at] ^ 1);
    EXPECT_EQ(take(reader, changed).opened.kind, Traffic::Kind::kFailed) << at;
  }
  for (const std::string& wrong : {second, first + first}) {
    Traffic reader(ciphers_, GetParam(), one_, other_, 0);
    std::string input = wrong;
    Taken taken = take(reader, input);
    if (!input.empty()) taken = take(reader, input);
    EXPECT_EQ(taken.opened.kind, Traffic::Kind::kFailed);
    EXPECT_EQ(taken.opened.alert, Traffic::kBadRecordMac);
  }
}

TEST_P(Pair, TellsARecordThatIsNotWholeFromOneThatCannotBe) {
  const std::string record = seal(b_, std::string(Traffic::kPlainMax, 'x'));
  for (size_t size = 0; size < record.size(); size += 999) EXPECT_FALSE(Traffic::whole_record(record.substr(0, size)));
  EXPECT_EQ(Traffic::whole_record(record + "more"), record.size());
  std::string too_long("\x17\3\3\x41\x01", 5);
  EXPECT_EQ(take(a_, too_long).opened.alert, Traffic::kRecordOverflow);
  std::string empty("\x17\3\3\0\x11", 5);
  EXPECT_FALSE(Traffic::whole_record(empty));
}

TEST_P(Pair, AnAlertIsTheEnd) {
  std::string sent = seal_alert(b_, Traffic::kBadRecordMac) + seal_alert(b_, Traffic::kCloseNotify);
  EXPECT_EQ(take(a_, sent).opened.kind, Traffic::Kind::kFailed);
  EXPECT_EQ(take(a_, sent).opened.kind, Traffic::Kind::kEnd);
}

INSTANTIATE_TEST_SUITE_P(Suites, Pair, testing::Values(Suite::kAes128Gcm, Suite::kAes256Gcm, Suite::kChaCha20Poly1305));

TEST(Traffic, KnowsTheSuitesThatAreOffered) {
  EXPECT_EQ(suite_of(0x1301), Suite::kAes128Gcm);
  EXPECT_EQ(suite_of(0x1302), Suite::kAes256Gcm);
  EXPECT_EQ(suite_of(0x1303), Suite::kChaCha20Poly1305);
  EXPECT_FALSE(suite_of(0x1304));
  EXPECT_FALSE(suite_of(0xc02f));
}

}  // namespace
}  // namespace fairlead::tls
