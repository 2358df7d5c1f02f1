#include "api/yaml.h"

#include <cstdio>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "fairlead/v1/management.pb.h"
#include "fairlead/v1/observation.pb.h"
#include "fairlead/v1/resources.pb.h"
#include "gmock/gmock.h"
#include "google/protobuf/descriptor.pb.h"
#include "google/protobuf/struct.pb.h"
#include "google/protobuf/util/message_differencer.h"
#include "google/protobuf/wrappers.pb.h"
#include "gtest/gtest.h"

namespace fairlead::api {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::util::MessageDifferencer;
using testing::EndsWith;
using testing::HasSubstr;

template <typename M>
M read(std::string_view text) {
  absl::StatusOr<M> message = parse_yaml<M>(text, "fairlead.yaml");
  EXPECT_TRUE(message.ok()) << message.status() << "\nin:\n" << text;
  return message.ok() ? *std::move(message) : M();
}

template <typename M>
std::string error_of(std::string_view text, const YamlLimits& limits = {}) {
  absl::StatusOr<M> message = parse_yaml<M>(text, "fairlead.yaml", limits);
  EXPECT_FALSE(message.ok()) << "accepted:\n" << text;
  return std::string(message.status().message());
}

TEST(ParseYaml, ReadsAConfigurationFile) {
  const auto file = read<v1::Configuration>(R"(
management:
  listen: ["unix:/run/fairlead/management.sock"]
workers: 2
observation: {listen: "127.0.0.1:9902"}
shutdown: {timeout: 1m30s}
resources:
  listeners:
    - {name: web, bind: ["0.0.0.0:8080"], protocol: HTTP, defaultBackend: app}
    - {name: db,  bind: ["0.0.0.0:5432"], protocol: PROTOCOL_TCP, default_backend: pg}
  backends:
    - name: app
      balance: {algorithm: ROUND_ROBIN}
      health_check: {http: {path: /healthz}, interval: 2s, rise: 2, fall: 3}
      server_defaults: {weight: 10, max_connections: 100}
      labels: {zone: a, tier: 1, free: yes}
      servers: [{name: s1, address: "127.0.0.1:9001", weight: 0}]
)");
  EXPECT_EQ(file.workers(), 2u);
  EXPECT_EQ(file.shutdown().timeout().seconds(), 90);
  ASSERT_EQ(file.resources().listeners_size(), 2);
  EXPECT_EQ(file.resources().listeners(0).default_backend(), "app");
  EXPECT_EQ(file.resources().listeners(0).protocol(), v1::PROTOCOL_HTTP);
  EXPECT_EQ(file.resources().listeners(1).protocol(), v1::PROTOCOL_TCP);
  const v1::Backend& app = file.resources().backends(0);
  EXPECT_EQ(app.health_check().http().path(), "/healthz");
  EXPECT_EQ(app.labels().at("tier"), "1");
  EXPECT_EQ(app.labels().at("free"), "yes");
  EXPECT_TRUE(app.servers(0).has_weight()) << "an explicit 0 is present";
  EXPECT_FALSE(app.servers(0).has_admin_state());
}

TEST(ParseYaml, TakesNothingForAnEmptyMessage) {
  for (const char* text : {"", "# only a comment\n", "---\n", "{}", "null", "resources:\n", "---\n...\n"}) {
    EXPECT_EQ(read<v1::Configuration>(text).ByteSizeLong(), 0u) << text;
  }
}

TEST(ParseYaml, ReadsJson) {
  const auto server = read<v1::Server>("{\"backend\": \"app\", \"name\": \"s\\u00e9\\/\", \"weight\": 3}");
  EXPECT_EQ(server.name(), "s\xc3\xa9/");
}

TEST(ParseYaml, ReadsDurations) {
  struct Case {
    const char* text;
    std::int64_t seconds;
    std::int32_t nanos;
  };
  for (const Case& c : {Case{"2s", 2, 0}, Case{"1.5s", 1, 500'000'000}, Case{"250ms", 0, 250'000'000},
                        Case{"1m", 60, 0}, Case{"1h", 3600, 0}, Case{"1h30m", 5400, 0}, Case{"0", 0, 0},
                        Case{"0s", 0, 0}, Case{"\"2s\"", 2, 0}, Case{"-1.5s", -1, -500'000'000}, Case{"1ns", 0, 1}}) {
    const auto drain = read<v1::Drain>(std::string("timeout: ") + c.text);
    EXPECT_TRUE(drain.has_timeout()) << c.text;
    EXPECT_EQ(drain.timeout().seconds(), c.seconds) << c.text;
    EXPECT_EQ(drain.timeout().nanos(), c.nanos) << c.text;
  }
  for (const char* text : {"2", "2 s", "s", "soon", "inf", "\"\"", "1d", "400000000000s", "[2s]", "{seconds: 2}"}) {
    EXPECT_THAT(error_of<v1::Drain>(std::string("timeout: ") + text), HasSubstr("is not a duration such as \"2s\""))
        << text;
  }
}

TEST(ParseYaml, ReadsNumbers) {
  for (const char* text : {"7", "\"7\"", "7.0", "7e0", "70e-1", "0.7E+1"}) {
    EXPECT_EQ(read<v1::Configuration>(std::string("workers: ") + text).workers(), 7u) << text;
  }
  EXPECT_EQ(read<v1::Metadata>("uid: 18446744073709551615").uid(), 18446744073709551615u);
  EXPECT_EQ(read<v1::Metadata>("uid: \"18446744073709551615\"").uid(), 18446744073709551615u);
  EXPECT_EQ(read<google::protobuf::Int32Value>("-5").value(), -5);
  for (const char* text :
       {"-1", "4294967296", "1e10", "1.5", "0x10", "010", "+1", "1_000", "heavy", "true", "[]", "{}"}) {
    EXPECT_THAT(error_of<v1::Configuration>(std::string("workers: ") + text),
                EndsWith("is not a number from 0 to 4294967295"))
        << text;
  }
  EXPECT_THAT(error_of<v1::Metadata>("uid: 18446744073709551616"), HasSubstr("from 0 to 18446744073709551615"));
}

TEST(ParseYaml, ReadsOtherScalars) {
  EXPECT_EQ(read<v1::Metadata>("create_time: 2026-01-31T12:30:00.5+01:00").create_time().seconds(), 1769859000);
  EXPECT_EQ(read<v1::Metadata>("createTime: \"2026-01-31T12:30:00.5Z\"").create_time().nanos(), 500'000'000);
  EXPECT_EQ(read<v1::GetInfoResponse>("digest: aGk_").digest(), "hi?");
  EXPECT_EQ(read<v1::GetInfoResponse>("digest: aGk/").digest(), "hi?");
  EXPECT_EQ(read<v1::UpdateServerRequest>("update_mask: \"weight,adminState\"").update_mask().paths(1), "admin_state");
  EXPECT_TRUE(read<v1::Management>("insecure: true").insecure());
  for (const char* text : {"yes", "on", "True", "1", "\"true\""}) {
    EXPECT_THAT(error_of<v1::Management>(std::string("insecure: ") + text), EndsWith("is not true or false"));
  }
  EXPECT_THAT(error_of<v1::Metadata>("create_time: yesterday"), HasSubstr("is not a time such as"));
  EXPECT_THAT(error_of<v1::Metadata>("create_time: infinite-future"), HasSubstr("is not a time such as"));
  EXPECT_THAT(error_of<v1::GetInfoResponse>("digest: \"*\""), HasSubstr("is not base64"));
}

TEST(ParseYaml, SharesAnchoredValues) {
  const auto file = read<v1::Resources>(R"(
backends:
  - {name: a, timeouts: &usual {connect: 1s}}
  - {name: b, timeouts: *usual}
)");
  EXPECT_EQ(file.backends(1).timeouts().connect().seconds(), 1);
}

TEST(ParseYaml, SaysWhatIsWrongAndWhere) {
  struct Case {
    const char* text;
    const char* error;
  };
  const Case cases[] = {
      {"resources:\n  backends:\n  - servers:\n    - {}\n    - name: s2\n      weight: heavy\n",
       "fairlead.yaml:6:15: resources.backends[0].servers[1].weight: \"heavy\" is not a number from 0 to 4294967295"},
      {"wrokers: 1\n",
       "fairlead.yaml:1:1: unknown field \"wrokers\"; Configuration has management, state_directory, workers, "
       "real_time_workers, "
       "observation, resources, access_log, shutdown"},
      {"resources: {servers: [{adress: x}]}", "fairlead.yaml:1:24: resources.servers[0]: unknown field \"adress\"; "},
      {"workers: 1\nworkers: 1\n", "fairlead.yaml:2:1: workers: given twice"},
      {"state_directory: a\nstateDirectory: b\n", "fairlead.yaml:2:1: state_directory: given twice"},
      {"resources: {backends: [{labels: {a: x, a: y}}]}",
       "fairlead.yaml:1:40: resources.backends[0].labels.a: given twice"},
      {"resources: {listeners: [{protocol: UDP}]}",
       "fairlead.yaml:1:36: resources.listeners[0].protocol: \"UDP\" is not one of TCP, HTTP"},
      {"resources: {listeners: [{protocol: http}]}", "\"http\" is not one of TCP, HTTP"},
      {"resources: {listeners: [{protocol: 9}]}", "\"9\" is not one of TCP, HTTP"},
      {"resources: {listeners: {name: web}}", "fairlead.yaml:1:24: resources.listeners: a map is not a list"},
      {"resources: [1]", "fairlead.yaml:1:12: resources: a list is not a map with the fields of Resources"},
      {"resources: {servers: [~]}", "resources.servers[0]: nothing is not a map with the fields of Server"},
      {"resources: {listeners: [{bind: [[a]]}]}", "resources.listeners[0].bind[0]: a list is not a string"},
      {"resources: {backends: [{labels: [a]}]}", "resources.backends[0].labels: a list is not a map"},
      {"resources: {backends: [{labels: {[a]: b}}]}", "a list is not a key"},
      {"[workers]: 1", "fairlead.yaml:1:1: a list is not the name of a field"},
      {"just text", "fairlead.yaml:1:1: \"just text\" is not a map with the fields of Configuration"},
      {"resources: {backends: [{health_check: {http: {}, tcp: {}}}]}",
       "fairlead.yaml:1:50: resources.backends[0].health_check.tcp: only one of tcp and http may be set"},
      {"resources: {backends: [{health_check: {tcp: }}]}",
       "resources.backends[0].health_check.tcp: has no value; {} is an empty one"},
      {"workers: 1\n---\nworkers: 2\n", "fairlead.yaml:2:1: a second document begins here; a file holds one"},
      {"workers: !mine 1", "the tag \"!mine\" is not known"},
      {"workers: *gone", "fairlead.yaml:1:10: "},
      {"a: &a [*a]", "fairlead.yaml:1:8: an alias of a value that contains it"},
      {"workers: [1", "fairlead.yaml:1:"},
      {"<<: {workers: 1}", "unknown field \"<<\""},
      {"workers: 1\n\tx: 2", "fairlead.yaml:"},
      {"workers: \"\x1b[31m\"", "fairlead.yaml:1:11: a control character (0x1b)"},
      {"\n state_directory: \xc3\x28", "fairlead.yaml:2:19: not valid UTF-8"},
      {"state_directory: \xed\xa0\x80", "fairlead.yaml:1:18: not valid UTF-8"},
      {"state_directory: \xc0\xaf", "fairlead.yaml:1:18: not valid UTF-8"},
  };
  for (const Case& c : cases) EXPECT_THAT(error_of<v1::Configuration>(c.text), HasSubstr(c.error)) << c.text;
}

TEST(ParseYaml, KeepsErrorsShortAndPrintable) {
  const std::string error = error_of<v1::Configuration>("workers: \"" + std::string(5000, 'x') + "\\x1b\"");
  EXPECT_LT(error.size(), 250u);
  EXPECT_THAT(error_of<v1::Configuration>("workers: \"\\x1b[31m\\n\""),
              HasSubstr("\"\\u001b[31m\\n\" is not a number"));
}

TEST(ParseYaml, ClearsTheMessageAfterAnError) {
  v1::Configuration file;
  file.set_workers(9);
  EXPECT_FALSE(parse_yaml("state_directory: x\nworkers: y", "f", file).ok());
  EXPECT_EQ(file.ByteSizeLong(), 0u);
}

TEST(ParseYaml, RefusesWhatCannotBeWritten) {
  EXPECT_THAT(error_of<google::protobuf::Struct>("a: 1"),
              HasSubstr("google.protobuf.Struct cannot be written in YAML"));
}

std::string repeat(std::string_view text, int times) {
  std::string result;
  for (int i = 0; i < times; ++i) result += text;
  return result;
}

TEST(YamlLimits, StopAHostileText) {
  struct Case {
    std::string text;
    const char* error;
  };
  std::string bomb = "backends:\n- labels: &a0 {a: x}\n";
  for (int i = 1; i < 40; ++i)
    bomb += "- &a" + std::to_string(i) + " {servers: [" + repeat("{labels: *a0},", 50) + "]}\n";
  const Case cases[] = {
      {repeat("[", 510'000), "too large for one scalar or flow collection"},
      {repeat("{a: ", 100), "nested more than 32 levels deep"},
      {repeat("- ", 100'000), "nested more than 32 levels deep"},
      {repeat("? ", 100'000), "nested more than 32 levels deep"},
      {std::string(9 << 20, 'a'), "too large for one scalar or flow collection"},
      {bomb, "more than 1000 values"},
      {"servers: [" + repeat("{},", 2000) + "]", "more than 1000 values"},
  };
  for (const Case& c : cases) {
    EXPECT_THAT(error_of<v1::Resources>(c.text, {.values = 1000}), HasSubstr(c.error)) << c.text.substr(0, 80);
  }
}

TEST(YamlLimits, CountWhatAnAliasStandsForAtEachUse) {
  const std::string text = "backends:\n- labels: &l {" + [] {
    std::string keys;
    for (int i = 0; i < 100; ++i) keys += "k" + std::to_string(i) + ": v, ";
    return keys;
  }() + "}\n" + repeat("- labels: *l\n", 20);
  EXPECT_EQ(read<v1::Resources>(text).backends_size(), 21);
  EXPECT_THAT(error_of<v1::Resources>(text, {.values = 1000}), HasSubstr("more than 1000 values"));
}

TEST(YamlLimits, CountBytes) {
  const absl::Status status = parse_yaml<v1::Resources>("servers: []", "f", {.bytes = 10}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(status.message(), "f: 11 bytes are more than the limit of 10");
}

TEST(ReadYamlFile, NamesTheFileAndTheReason) {
  const std::string path = testing::TempDir() + "/yaml_test.yaml";
  std::ofstream(path) << "workers: 1\n";
  EXPECT_EQ(*read_yaml_file(path), "workers: 1\n");
  EXPECT_EQ(read_yaml_file(path, {.bytes = 5}).status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(read_yaml_file("/nowhere/x.yaml").status().message()),
              "/nowhere/x.yaml: cannot be read: No such file or directory");
  EXPECT_THAT(std::string(read_yaml_file(testing::TempDir()).status().message()), HasSubstr("cannot be read"));
  std::remove(path.c_str());
}

TEST(YamlLocation, FindsTheNearestValue) {
  const std::string text = "resources:\n  backends:\n  - name: a\n  - name: b\n    serverDefaults: {weight: 999}\n";
  EXPECT_EQ(yaml_location(text, "f", "resources.backends[1].server_defaults.weight"), "f:5:30");
  EXPECT_EQ(yaml_location(text, "f", "resources.backends[1].timeouts.connect"), "f:4:5");
  EXPECT_EQ(yaml_location(text, "f", "resources.backends[7].name"), "f:3:3");
  EXPECT_EQ(yaml_location(text, "f", "nothing"), "f:1:1");
  EXPECT_EQ(yaml_location("[", "f", "a[.]b[[["), "f");
}

TEST(ToYaml, IsShortAndInTheSchemasOrder) {
  v1::Backend backend;
  backend.set_name("app");
  (*backend.mutable_labels())["zone"] = "a";
  (*backend.mutable_labels())["build"] = "1.10";
  (*backend.mutable_labels())["debug"] = "no";
  backend.mutable_balance()->set_algorithm(v1::ALGORITHM_ROUND_ROBIN);
  backend.mutable_timeouts()->mutable_connect()->set_nanos(250'000'000);
  backend.mutable_timeouts()->mutable_idle()->set_seconds(60);
  backend.mutable_server_defaults()->set_weight(0);
  backend.mutable_health_check()->mutable_tcp();
  backend.mutable_metadata()->set_uid(7);
  v1::Server& server = *backend.add_servers();
  server.set_address("10.0.0.1:80");
  server.mutable_status()->set_in_flight(1);
  EXPECT_EQ(to_yaml(backend, {.output_only_fields = false}), R"(name: app
balance:
  algorithm: ROUND_ROBIN
server_defaults:
  weight: 0
timeouts:
  connect: 250ms
  idle: 1m
health_check:
  tcp: {}
labels:
  build: "1.10"
  debug: "no"
  zone: a
servers:
  - address: "10.0.0.1:80"
)");
  EXPECT_THAT(to_yaml(backend), HasSubstr("metadata:\n  uid: 7\n"));
  EXPECT_EQ(to_yaml(v1::Backend()), "{}\n");
}

// Any message, filled by chance through reflection.
class Filler {
 public:
  explicit Filler(unsigned seed) : random_(seed) {}

  void fill(Message& message, int depth = 0) {
    const auto& type = *message.GetDescriptor();
    if (type.name() == "Duration" || type.name() == "Timestamp") return fill_time(message);
    if (type.name() == "FieldMask") return fill_mask(message);
    for (int i = 0; i < type.field_count(); ++i) {
      const FieldDescriptor& field = *type.field(i);
      if (depth > 5 || below(3) == 0) continue;
      const int count = field.is_repeated() ? below(4) : 1;
      for (int k = 0; k < count; ++k) fill_field(message, field, depth);
    }
  }

 private:
  int below(int end) { return static_cast<int>(random_() % static_cast<unsigned>(end)); }

  void fill_time(Message& message) {
    const auto& type = *message.GetDescriptor();
    message.GetReflection()->SetInt64(&message, type.field(0), below(2) ? below(100'000) : 0);
    const int nanos[] = {0, 250'000'000, 1'000, 7, 999'999'999};
    message.GetReflection()->SetInt32(&message, type.field(1), nanos[below(5)]);
  }

  // Only names of fields can be in a mask.
  void fill_mask(Message& message) {
    const FieldDescriptor* paths = message.GetDescriptor()->field(0);
    const char* names[] = {"weight", "admin_state", "server_defaults.max_connections"};
    for (int i = below(4); i > 0; --i) message.GetReflection()->AddString(&message, paths, names[below(3)]);
  }

  std::string text() {
    static const std::vector<std::string> samples = {"",
                                                     "a",
                                                     "yes",
                                                     "null",
                                                     "~",
                                                     "5",
                                                     "0x1f",
                                                     "a: b",
                                                     "- x",
                                                     "#c",
                                                     "x #c",
                                                     " x ",
                                                     "\"q\"",
                                                     "'q'",
                                                     "\\",
                                                     "a\nb",
                                                     "\ttab",
                                                     "{a}",
                                                     "[a]",
                                                     "*a",
                                                     "&a",
                                                     "!t",
                                                     "|",
                                                     ">",
                                                     "%a",
                                                     "@a",
                                                     "`a`",
                                                     "\xc3\xa9",
                                                     "\x7f",
                                                     "\x1b[m",
                                                     "\xe2\x80\xa8",
                                                     "\xf0\x9f\x98\x80",
                                                     "---",
                                                     "...",
                                                     "a:",
                                                     ":a",
                                                     "1e3",
                                                     ".inf",
                                                     "12:30",
                                                     "2026-01-01",
                                                     "\r\n",
                                                     "\xef\xbb\xbf",
                                                     "=",
                                                     "<<"};
    return samples[static_cast<std::size_t>(below(static_cast<int>(samples.size())))];
  }

  void fill_field(Message& message, const FieldDescriptor& field, int depth) {
    const auto* reflection = message.GetReflection();
    if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      Message* child =
          field.is_repeated() ? reflection->AddMessage(&message, &field) : reflection->MutableMessage(&message, &field);
      return fill(*child, depth + 1);
    }
    // Of the scalar types the schema repeats only strings and uint64.
    if (field.is_repeated()) {
      if (field.cpp_type() == FieldDescriptor::CPPTYPE_STRING) reflection->AddString(&message, &field, text());
      if (field.cpp_type() == FieldDescriptor::CPPTYPE_UINT64) reflection->AddUInt64(&message, &field, random_());
      return;
    }
    switch (field.cpp_type()) {
      case FieldDescriptor::CPPTYPE_UINT32:
        return reflection->SetUInt32(&message, &field, static_cast<std::uint32_t>(random_()));
      case FieldDescriptor::CPPTYPE_UINT64:
        return reflection->SetUInt64(&message, &field, random_());
      case FieldDescriptor::CPPTYPE_INT32:
        return reflection->SetInt32(&message, &field, static_cast<std::int32_t>(random_()));
      case FieldDescriptor::CPPTYPE_DOUBLE:
        return reflection->SetDouble(&message, &field, static_cast<double>(random_() % 10'000) / 100);
      case FieldDescriptor::CPPTYPE_BOOL:
        return reflection->SetBool(&message, &field, below(2) != 0);
      case FieldDescriptor::CPPTYPE_ENUM:
        return reflection->SetEnum(&message, &field, field.enum_type()->value(below(field.enum_type()->value_count())));
      case FieldDescriptor::CPPTYPE_STRING:
        return reflection->SetString(&message, &field, text());
      default:
        FAIL() << field.full_name() << " has a type that this test does not fill";
    }
  }

  std::mt19937_64 random_;
};

template <typename M>
void expect_round_trips(unsigned seeds) {
  for (unsigned seed = 0; seed < seeds; ++seed) {
    M message;
    Filler(seed).fill(message);
    // A map filled through reflection may hold a key twice; the wire format makes it a map.
    ASSERT_TRUE(message.ParseFromString(message.SerializeAsString()));
    const std::string text = to_yaml(message);
    absl::StatusOr<M> again = parse_yaml<M>(text, "again.yaml");
    ASSERT_TRUE(again.ok()) << again.status() << "\nseed " << seed << "\n" << text;
    EXPECT_TRUE(MessageDifferencer::Equals(message, *again)) << "seed " << seed << "\n" << text;
    EXPECT_EQ(to_yaml(*again), text) << "seed " << seed;
  }
}

TEST(ToYaml, IsReadBackAsItWas) {
  expect_round_trips<v1::Configuration>(200);
  expect_round_trips<v1::Certificate>(50);
  expect_round_trips<v1::Transaction>(200);
  expect_round_trips<v1::WatchEventsResponse>(100);
  expect_round_trips<v1::StreamStatisticsResponse>(50);
  expect_round_trips<v1::ListServersRequest>(100);
}

}  // namespace
}  // namespace fairlead::api
