// What clients get wrong in one operation, by kind of resource: rows that bad_input_test.cc sends.
#pragma once

#include <span>
#include <string>

#include "absl/strings/str_cat.h"
#include "fairlead/v1/management.pb.h"
#include "grpcpp/support/status.h"

namespace fairlead::management {

using grpc::StatusCode;

struct Row {
  // Of the catalogue of what clients get wrong; 0: none of it.
  int number;
  const char* name;
  // Text of an Operation.
  std::string operation;
  v1::Reason reason;
  StatusCode status;
  // Part of the text.
  std::string text;
};

inline std::string server(const std::string& fields) { return "create { server { backend: \"web\" " + fields + " } }"; }
inline std::string at(const std::string& address) { return server("name: \"x\" address: \"" + address + "\""); }
inline std::string named(const std::string& name) { return server("address: \"10.0.0.1:80\" name: \"" + name + "\""); }
inline std::string backend(const std::string& fields) { return "create { backend { name: \"b\" " + fields + " } }"; }
inline std::string listener(const std::string& fields) {
  return "create { listener { name: \"l\" bind: \"127.0.0.1:0\" " + fields + " } }";
}
inline std::string http(const std::string& fields) { return listener("protocol: PROTOCOL_HTTP " + fields); }
inline std::string good(const std::string& fields) { return server("name: \"x\" address: \"10.0.0.1:80\" " + fields); }

inline std::string repeated(const std::string& text, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += text;
  return all;
}
inline std::string labels(int count) {
  std::string all;
  for (int i = 0; i < count; ++i) absl::StrAppend(&all, "labels { key: \"l", i, "\" value: \"\" } ");
  return all;
}

constexpr auto kInvalid = v1::REASON_INVALID;
constexpr auto kArgument = StatusCode::INVALID_ARGUMENT;

std::span<const Row> bad_servers();
std::span<const Row> bad_backends();
std::span<const Row> bad_health_checks();
std::span<const Row> bad_listeners();
std::span<const Row> bad_certificates();

}  // namespace fairlead::management
