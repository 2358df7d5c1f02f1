#include "management/status_details.h"

#include "gmock/gmock.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/descriptor.pb.h"
#include "google/protobuf/dynamic_message.h"
#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"
#include "management/status.h"

namespace fairlead::management {
namespace {

namespace pb = google::protobuf;

// As a client has it.
const char kSchema[] = R"(
  name: "rpc.proto" package: "google.rpc" syntax: "proto3"
  message_type { name: "Any"
    field { name: "type_url" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL }
    field { name: "value" number: 2 type: TYPE_BYTES label: LABEL_OPTIONAL } }
  message_type { name: "Status"
    field { name: "code" number: 1 type: TYPE_INT32 label: LABEL_OPTIONAL }
    field { name: "message" number: 2 type: TYPE_STRING label: LABEL_OPTIONAL }
    field { name: "details" number: 3 type: TYPE_MESSAGE type_name: "Any" label: LABEL_REPEATED } }
  message_type { name: "ErrorInfo"
    field { name: "reason" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL }
    field { name: "domain" number: 2 type: TYPE_STRING label: LABEL_OPTIONAL }
    field { name: "metadata" number: 3 type: TYPE_MESSAGE type_name: "Fact" label: LABEL_REPEATED } }
  message_type { name: "Fact"
    field { name: "key" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL }
    field { name: "value" number: 2 type: TYPE_STRING label: LABEL_OPTIONAL } }
  message_type { name: "BadRequest"
    field { name: "field_violations" number: 1 type: TYPE_MESSAGE type_name: "FieldViolation" label: LABEL_REPEATED } }
  message_type { name: "FieldViolation"
    field { name: "field" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL }
    field { name: "description" number: 2 type: TYPE_STRING label: LABEL_OPTIONAL } }
  message_type { name: "QuotaFailure"
    field { name: "violations" number: 1 type: TYPE_MESSAGE type_name: "QuotaViolation" label: LABEL_REPEATED } }
  message_type { name: "QuotaViolation"
    field { name: "subject" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL }
    field { name: "description" number: 2 type: TYPE_STRING label: LABEL_OPTIONAL } }
  message_type { name: "RetryInfo"
    field { name: "retry_delay" number: 1 type: TYPE_MESSAGE type_name: "Duration" label: LABEL_OPTIONAL } }
  message_type { name: "Duration"
    field { name: "seconds" number: 1 type: TYPE_INT64 label: LABEL_OPTIONAL }
    field { name: "nanos" number: 2 type: TYPE_INT32 label: LABEL_OPTIONAL } })";

class StatusDetailsTest : public testing::Test {
 protected:
  StatusDetailsTest() {
    pb::FileDescriptorProto file;
    EXPECT_TRUE(pb::TextFormat::ParseFromString(kSchema, &file));
    EXPECT_NE(pool_.BuildFile(file), nullptr);
  }

  // All that the status says to programs, each detail on a line; a text that cannot be decoded says so.
  std::string decode(const grpc::Status& status) {
    auto whole = parse("google.rpc.Status", status.error_details());
    if (!whole) return "not a google.rpc.Status";
    std::string out;
    const pb::Reflection& reflection = *whole->GetReflection();
    auto field = [](const pb::Message& message, const char* name) {
      return message.GetDescriptor()->FindFieldByName(name);
    };
    EXPECT_EQ(reflection.GetInt32(*whole, field(*whole, "code")), static_cast<int>(status.error_code()));
    EXPECT_EQ(reflection.GetString(*whole, field(*whole, "message")), status.error_message());
    const pb::FieldDescriptor* details = field(*whole, "details");
    for (int i = 0; i < reflection.FieldSize(*whole, details); ++i) {
      const pb::Message& any = reflection.GetRepeatedMessage(*whole, details, i);
      std::string type = any.GetReflection()->GetString(any, field(any, "type_url"));
      type = type.substr(type.find('/') + 1);
      auto detail = parse(type, any.GetReflection()->GetString(any, field(any, "value")));
      out += type + " { " + (detail ? detail->ShortDebugString() : "?") + "}\n";
    }
    return out;
  }

 private:
  std::unique_ptr<pb::Message> parse(const std::string& type, const std::string& bytes) {
    const pb::Descriptor* descriptor = pool_.FindMessageTypeByName(type);
    const pb::Message* prototype = descriptor ? factory_.GetPrototype(descriptor)
                                              : pb::MessageFactory::generated_factory()->GetPrototype(
                                                    pb::DescriptorPool::generated_pool()->FindMessageTypeByName(type));
    std::unique_ptr<pb::Message> message(prototype->New());
    return message->ParseFromString(bytes) ? std::move(message) : nullptr;
  }

  pb::DescriptorPool pool_;
  pb::DynamicMessageFactory factory_;
};

TEST_F(StatusDetailsTest, AFailureNamesItsFieldAndReason) {
  EXPECT_EQ(decode(to_status(api::Failure{v1::REASON_INVALID, "server web/s1", "weight", "300 is out of range"})),
            "fairlead.v1.OperationFailure { resource: \"server web/s1\" reason: REASON_INVALID field: \"weight\"}\n"
            "google.rpc.ErrorInfo { reason: \"INVALID\" domain: \"fairlead\" "
            "metadata { key: \"resource\" value: \"server web/s1\" }}\n"
            "google.rpc.BadRequest { field_violations { field: \"weight\" description: \"300 is out of range\" }}\n");
}

TEST_F(StatusDetailsTest, AVersionThatIsNotThePresentOneIsToldThePresentOne) {
  store::Result result = store::refused(1, 1234, {v1::REASON_VERSION_MISMATCH, "transaction 1", "", "expected 3"});
  EXPECT_EQ(to_status(result).error_code(), grpc::StatusCode::ABORTED);
  EXPECT_THAT(decode(to_status(result)),
              testing::HasSubstr("google.rpc.ErrorInfo { reason: \"VERSION_MISMATCH\" domain: \"fairlead\" "
                                 "metadata { key: \"version\" value: \"1234\" }}\n"));
}

TEST_F(StatusDetailsTest, ALimitIsAQuota) {
  EXPECT_THAT(decode(to_status(api::Failure{v1::REASON_LIMIT_EXCEEDED, "listener l", "", "64 is the limit"})),
              testing::EndsWith("google.rpc.QuotaFailure { violations { subject: \"listener l\" "
                                "description: \"64 is the limit\" }}\n"));
}

TEST_F(StatusDetailsTest, WhatPassesByItselfSaysWhenToTryAgain) {
  const char retry[] = "google.rpc.RetryInfo { retry_delay { seconds: 1 }}\n";
  EXPECT_EQ(decode(shutting_down()), retry);
  EXPECT_EQ(decode(busy("later")), retry);
  for (v1::Reason reason : {v1::REASON_SHUTTING_DOWN, v1::REASON_DISK_FULL, v1::REASON_JOURNAL_FAILED}) {
    EXPECT_THAT(decode(to_status(api::Failure{reason, "", "", "no"})), testing::EndsWith(retry));
  }
  StatusDetails details;
  details.add_retry_after(std::chrono::milliseconds(2'300));
  EXPECT_EQ(decode(details.with(grpc::StatusCode::UNAVAILABLE, "no")),
            "google.rpc.RetryInfo { retry_delay { seconds: 2 nanos: 300000000 }}\n");
}

// A client that is strict throws all details away where one text is not UTF-8.
TEST_F(StatusDetailsTest, LongTextsAreCutBetweenCharacters) {
  for (size_t before : {0, 1, 2}) {
    std::string text = std::string(before, 'x');
    while (text.size() < 10'000) text += "\u20ac";
    grpc::Status status = to_status(api::Failure{v1::REASON_INVALID, text, text, text});
    EXPECT_THAT(decode(status), testing::Not(testing::HasSubstr("?}")));
    EXPECT_LE(status.error_message().size(), StatusDetails::kMessageMax);
    EXPECT_EQ(status.error_message().size() % 3, before);
  }
}

}  // namespace
}  // namespace fairlead::management
