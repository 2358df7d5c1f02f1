#include "ctl/explain.h"

#include "absl/strings/str_cat.h"
#include "ctl/values.h"

namespace fairlead::ctl {
namespace {

Result<v1::ExplainPickRequest> read_request(const Arguments& arguments) {
  v1::ExplainPickRequest request;
  request.set_source(arguments.value("source", "127.0.0.1"));
  request.set_method(arguments.value("method"));
  request.set_host(arguments.value("host"));
  request.set_path(arguments.value("path"));
  request.set_sni(arguments.value("sni"));
  for (const std::string& protocol : arguments.values("alpn")) request.add_alpn(protocol);
  auto headers = parse_labels("--header", arguments.values("header"));
  if (!headers) return std::unexpected(headers.error());
  for (const auto& [name, value] : *headers) (*request.mutable_headers())[name] = value;
  return request;
}

void print(const v1::ExplainPickResponse& response, Streams& streams) {
  for (const std::string& reason : response.reasons()) streams.out << "  " << printable(reason) << "\n";
  if (response.server().empty()) {
    streams.out << "no server: " << printable(response.cause()) << "\n";
    return;
  }
  streams.out << printable(absl::StrCat(response.backend(), "/", response.server(), " at ", response.address()))
              << (response.is_one_of_several() ? " (the next request may go to another)" : "") << "\n";
}

}  // namespace

Result<void> run_explain(Context& context) {
  Result<v1::ExplainPickRequest> request = read_request(context.arguments);
  if (!request) return std::unexpected(request.error());
  const std::string name = context.arguments.operand(0);
  const bool is_backend = context.arguments.has("backend");
  is_backend ? request->set_backend(name) : request->set_listener(name);
  auto response = context.client.call(&Client::Management::ExplainPick, *request);
  if (!response) return std::unexpected(response.error());
  if (!print_message(context, *response)) print(*response, context.streams);
  return {};
}

}  // namespace fairlead::ctl
