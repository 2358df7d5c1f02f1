#include "api/canonical.h"

#include "api/encode.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"

namespace fairlead::api {
namespace {

template <typename Message>
std::string serialize(Message& message) {
  message.clear_metadata();
  if constexpr (requires { message.clear_status(); }) message.clear_status();
  std::string bytes;
  google::protobuf::io::StringOutputStream stream(&bytes);
  google::protobuf::io::CodedOutputStream out(&stream);
  out.SetSerializationDeterministic(true);
  message.SerializeToCodedStream(&out);
  out.Trim();
  return bytes;
}

}  // namespace

std::string canonical(const config::Server& record, const std::string& backend) {
  v1::Server message;
  encode(record, backend, message);
  return serialize(message);
}

std::string canonical(const config::Backend& record) {
  v1::Backend message;
  encode(record, message);
  return serialize(message);
}

std::string canonical(const config::Listener& record) {
  v1::Listener message;
  encode(record, message);
  return serialize(message);
}

}  // namespace fairlead::api
