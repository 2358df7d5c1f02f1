// The canonical bytes of a server, which are written by hand, against protobuf's of the same message.
#include "api/canonical.h"

#include <random>

#include "api/decode.h"
#include "config/settings.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "gtest/gtest.h"

namespace fairlead::api {
namespace {

std::string by_protobuf(const v1::Server& message) {
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream out(&stream);
    out.SetSerializationDeterministic(true);
    message.SerializeToCodedStream(&out);
  }
  return bytes;
}

class CanonicalTest : public testing::Test {
 protected:
  uint32_t number(uint32_t max) { return std::uniform_int_distribution<uint32_t>(0, max)(random_); }
  bool maybe() { return number(1) == 1; }
  // Lengths on both sides of what takes another byte to write.
  std::string text(uint32_t min) {
    uint32_t longest = maybe() ? 20 : 255;
    std::string result;
    for (uint32_t left = min + number(longest - min); left > 0; --left) result += static_cast<char>('a' + number(25));
    return result;
  }
  std::string address() {
    switch (number(2)) {
      case 0:
        return "10." + std::to_string(number(255)) + ".0.1:" + std::to_string(1 + number(65534));
      case 1:
        return "[2001:db8::" + std::to_string(1 + number(8)) + "]:" + std::to_string(1 + number(65534));
      default:
        return "unix:/run/" + std::string(1 + number(90), 'x');
    }
  }
  v1::Server server() {
    v1::Server message;
    message.set_backend(text(1));
    message.set_name(text(1));
    message.set_address(address());
    if (maybe()) message.set_weight(number(256));
    if (maybe()) message.set_admin_state(static_cast<v1::AdminState>(1 + number(2)));
    if (number(3) == 0) {
      v1::ServerHealthCheck& check = *message.mutable_health_check();
      check.set_disabled(number(1) == 1);
      if (maybe()) check.set_port(1 + number(65534));
      if (!check.has_port() && maybe()) check.set_address(address());
      if (maybe()) check.mutable_agent()->set_port(1 + number(65534));
      if (!check.has_agent() && maybe()) check.mutable_agent()->set_address(address());
      if (!check.disabled() && !check.has_port() && check.address().empty() && !check.has_agent()) {
        maybe() ? check.set_track("a/b") : message.clear_health_check();
      }
    }
    if (maybe()) message.set_backup(true);
    if (!message.backup()) message.set_priority(number(15));
    for (uint32_t left = maybe() ? number(8) : 0; left > 0; --left) (*message.mutable_labels())[text(1)] = text(0);
    return message;
  }

  const uint32_t seed_ = std::random_device()();
  std::mt19937 random_{seed_};
};

TEST_F(CanonicalTest, OfServersIsWhatProtobufWrites) {
  SCOPED_TRACE("seed " + std::to_string(seed_));
  for (int i = 0; i < 5000; ++i) {
    v1::Server message = server();
    Decoded<ServerDraft> draft = decode_server(message);
    ASSERT_TRUE(draft) << draft.error().text();
    std::string bytes = canonical(*draft->record, draft->backend);
    ASSERT_EQ(bytes, by_protobuf(message)) << message.ShortDebugString();
    config::Server read;
    ASSERT_TRUE(read_canonical(bytes, read)) << message.ShortDebugString();
    ASSERT_TRUE(config::same_settings(read, *draft->record)) << message.ShortDebugString();
  }
}

}  // namespace
}  // namespace fairlead::api
