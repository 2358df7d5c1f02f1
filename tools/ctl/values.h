// Values of options and operands, from text.
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "ctl/result.h"
#include "fairlead/v1/management.pb.h"
#include "google/protobuf/duration.pb.h"

namespace fairlead::ctl {

// "web/s1".
Result<v1::ServerName> parse_server_name(const std::string& text);

// "30s", "500ms", "1m30s"; `option` is named in the error.
Result<google::protobuf::Duration> parse_duration_value(const std::string& option, const std::string& text);
std::chrono::nanoseconds to_chrono(const google::protobuf::Duration& duration);

// "zone=a", each key once.
Result<std::map<std::string, std::string>> parse_labels(const std::string& option,
                                                        const std::vector<std::string>& texts);

// "api.example.com/v1=api", "*.example.com=api", "/static=files": host, path prefix, backend; several hosts with
// commas. The backend may have a priority behind it, "api@2", and a limit: "api,rate:100/1s,burst:200".
Result<v1::Route> parse_route(const std::string& text);

// "ready,draining", of any case.
Result<std::vector<v1::Lifecycle>> parse_lifecycles(const std::string& text);

// "7", or "1:7" for one above 64 bits.
Result<v1::ElectionId> parse_election_id(const std::string& text);

// "200", "200-299".
Result<v1::StatusRange> parse_status_range(const std::string& option, const std::string& text);

// "http:/healthz", "tcp", "grpc", "grpc:service" or "none".
Result<v1::HealthCheck> parse_check(const std::string& text);

}  // namespace fairlead::ctl
