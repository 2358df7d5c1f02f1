#include "codec/load_report.h"

#include <gtest/gtest.h>

#include <string>

namespace fairlead::codec {
namespace {

TEST(LoadReport, IsReadFromText) {
  EXPECT_EQ(parse_load_report("TEXT cpu_utilization=0.3,mem_utilization=0.8, rps_fractional=10"),
            (LoadReport{.utilization = 0.3, .in_flight = {}}));
  EXPECT_EQ(
      parse_load_report("TEXT  cpu_utilization=0.3 , application_utilization=1.5,named_metrics.requests_in_flight=12"),
      (LoadReport{.utilization = 1.5, .in_flight = 12}));
  EXPECT_EQ(parse_load_report("TEXT named_metrics.requests_in_flight=0"),
            (LoadReport{.utilization = {}, .in_flight = 0}));
}

TEST(LoadReport, IsReadFromJson) {
  EXPECT_EQ(parse_load_report(R"(JSON {"cpu_utilization": 0.3, "named_metrics": {"x": 1, "requests_in_flight": 7},)"
                              R"( "mem_utilization": 1e-1})"),
            (LoadReport{.utilization = 0.3, .in_flight = 7}));
  EXPECT_EQ(parse_load_report(R"(JSON {"request_cost":{},"application_utilization":2})"),
            (LoadReport{.utilization = 2, .in_flight = {}}));
}

TEST(LoadReport, WhatSaysNothingIsNone) {
  for (const char* value : {"",
                            "TEXT",
                            "TEXT ",
                            "JSON ",
                            "JSON {}",
                            "BIN ZnV6enk=",
                            "text cpu_utilization=0.3",
                            "TEXT cpu_utilization",
                            "TEXT cpu_utilization=",
                            "TEXT cpu_utilization=x",
                            "TEXT cpu_utilization=0.3,",
                            "TEXT =0.3",
                            "TEXT cpu_utilization=nan",
                            "TEXT cpu_utilization=inf",
                            "TEXT cpu_utilization=-1",
                            "TEXT other=1",
                            "TEXT cpu_utilization=0.3 0.4",
                            R"(JSON {"cpu_utilization": 0.3)",
                            R"(JSON {"cpu_utilization": 0.3} x)",
                            R"(JSON {"cpu_utilization": "0.3"})",
                            R"(JSON {"a": {"b": {"cpu_utilization": 1}}})",
                            R"(JSON {"cpu_ut)",
                            R"(JSON {"cpu\"": 1, "cpu_utilization": 0.3})",
                            "JSON [1]",
                            R"(JSON {"cpu_utilization": 0.3,})",
                            R"(JSON {"requests_in_flight": 3})",
                            R"(JSON {"": {"cpu_utilization": 1}})",
                            "TEXT requests_in_flight=3",
                            "TEXT named_metrics.cpu_utilization=1"}) {
    EXPECT_EQ(parse_load_report(value), std::nullopt) << value;
  }
}

// It comes from outside.
TEST(LoadReport, NoBytesHarmIt) {
  std::string seed = R"(JSON {"cpu_utilization": 0.3, "named_metrics": {"requests_in_flight": 7}})";
  for (size_t at = 0; at < seed.size(); ++at) {
    for (int byte = 0; byte < 256; ++byte) {
      std::string value = seed;
      value[at] = static_cast<char>(byte);
      parse_load_report(value);
    }
    parse_load_report(seed.substr(0, at));
  }
  EXPECT_EQ(parse_load_report("TEXT named_metrics.requests_in_flight=1e300")->in_flight, 1'000'000'000u);
  EXPECT_EQ(parse_load_report("JSON " + std::string(10'000, '{')), std::nullopt);
}

}  // namespace
}  // namespace fairlead::codec
