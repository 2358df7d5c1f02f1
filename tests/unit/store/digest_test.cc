// The digest against numbers that were computed by hand (printf 'kind byte, message' | sha256sum), as a client would.
#include "store/digest.h"

#include "api/canonical.h"
#include "api/decode.h"
#include "gtest/gtest.h"

namespace fairlead::store {
namespace {

std::string hex(const std::string& bytes) {
  std::string text;
  for (unsigned char byte : bytes) {
    text += "0123456789abcdef"[byte >> 4];
    text += "0123456789abcdef"[byte & 15];
  }
  return text;
}

api::ServerDraft server_s1() {
  v1::Server message;
  message.set_backend("web");
  message.set_name("s1");
  message.set_address("10.0.0.1:80");
  message.set_weight(0);
  message.mutable_metadata()->set_uid(7);
  return *api::decode_server(message);
}

TEST(DigestTest, IsZeroWithoutResources) { EXPECT_EQ(Digest().bytes(), std::string(32, '\0')); }

TEST(DigestTest, CanonicalBytesKeepWhatIsSetAndNoMetadata) {
  api::ServerDraft draft = server_s1();
  EXPECT_EQ(hex(api::canonical(*draft.record, draft.backend)), "0a03776562120273311a0b31302e302e302e313a38302000");
}

TEST(DigestTest, OfOneResourceIsItsHash) {
  api::ServerDraft draft = server_s1();
  Digest digest;
  digest.add(Digest::hash(Digest::Kind::kServer, api::canonical(*draft.record, draft.backend)));
  EXPECT_EQ(hex(digest.bytes()), "5915a502eb7e2f809f721f5a111a59557c9156e3d8c5fb0a4dde55e43bcca600");
}

TEST(DigestTest, AddsLongAndShortResourcesInAnyOrder) {
  Digest::Hash a = Digest::hash(Digest::Kind::kListener, std::string(5000, 'a'));
  Digest::Hash b = Digest::hash(Digest::Kind::kBackend, "b");
  Digest forwards, backwards;
  forwards.add(a);
  forwards.add(b);
  backwards.add(b);
  backwards.add(a);
  EXPECT_EQ(forwards, backwards);
  backwards.remove(a);
  EXPECT_NE(forwards, backwards);
  backwards.remove(b);
  EXPECT_EQ(backwards, Digest());
}

}  // namespace
}  // namespace fairlead::store
