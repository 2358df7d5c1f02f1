#include "management/explain_call.h"

#include <algorithm>
#include <expected>
#include <utility>

#include "absl/strings/ascii.h"
#include "api/failure.h"
#include "api/field_checker.h"
#include "api/tls_fields.h"
#include "config/text.h"
#include "config/validate.h"

namespace fairlead::management {
namespace {

using config::concat;

// What a client without an address is called.
constexpr const char* kNoAddress = "unix";

config::Problem check_source(const std::string& source) {
  bool is_v6 = source.find(':') != std::string::npos;
  std::string with_port = is_v6 ? concat("[", source, "]:1") : concat(source, ":1");
  absl::StatusOr<config::Endpoint> endpoint = config::Endpoint::parse(with_port);
  if (endpoint.ok() && !endpoint->is_unix()) return std::nullopt;
  return concat(config::quoted(source), " is no IP address");
}

// No line of it may become two.
config::Problem check_line(std::string_view text) {
  bool is_plain = std::ranges::none_of(text, [](char c) { return c == '\r' || c == '\n' || c == '\0'; });
  return is_plain ? std::nullopt : config::Problem(concat(config::quoted(text), " has a line break or a NUL"));
}

// As long as a client's TLS could have it; empty where it has none.
config::Problem check_server_name(std::string_view name) {
  constexpr size_t kMax = 255;
  if (name.size() > kMax) return concat("has ", name.size(), " bytes; it is out of range [0, ", kMax, "]");
  return check_line(name);
}

// An error is the text of a refusal.
std::expected<observe::Question, std::string> to_question(const v1::ExplainPickRequest& request) {
  auto text = [](const std::string& value, const char* fallback) { return value.empty() ? fallback : value; };
  if (!request.source().empty()) {
    if (config::Problem problem = check_source(request.source())) return std::unexpected("source: " + *problem);
  }
  std::vector<std::pair<const char*, std::string>> lines = {{"method", text(request.method(), "GET")},
                                                            {"path", text(request.path(), "/")},
                                                            {"host", text(request.host(), "localhost")}};
  for (const auto& [name, value] : request.headers()) lines.emplace_back("headers", concat(name, ": ", value));
  if (config::Problem problem = check_server_name(request.sni())) return std::unexpected("sni: " + *problem);
  api::FieldChecker checker;
  std::vector<std::string> alpn = api::decode_alpn(checker, request.alpn(), "alpn");
  if (!checker.ok()) return std::unexpected(checker.take_failure("").text());
  for (const auto& [field, line] : lines) {
    if (config::Problem problem = check_line(line)) return std::unexpected(concat(field, ": ", *problem));
  }
  observe::Question question;
  question.source = text(request.source(), kNoAddress);
  question.head = concat(lines[0].second, " ", lines[1].second, " HTTP/1.1\r\nHost: ", lines[2].second, "\r\n");
  for (size_t i = 3; i < lines.size(); ++i) question.head += concat(lines[i].second, "\r\n");
  question.head += "\r\n";
  question.sni = absl::AsciiStrToLower(request.sni());
  question.alpn = std::move(alpn);
  return question;
}

// Empty: it is there.
std::string find_target(const v1::ExplainPickRequest& request, const store::Reader& reader,
                        observe::Question& question) {
  if (request.has_listener()) {
    std::optional<store::ListenerView> listener = reader.find_listener(request.listener());
    if (!listener) return api::listener_title(request.listener());
    question.target = observe::Question::Listener{listener->record->slot, listener->record->metadata.uid};
    return "";
  }
  std::optional<store::BackendView> backend = reader.find_backend(request.backend());
  if (!backend) return api::backend_title(request.backend());
  question.target = config::BackendHandle{backend->record->slot, backend->record->metadata.uid};
  return "";
}

grpc::Status fill(observe::Explanation& explanation, v1::ExplainPickResponse& response) {
  if (!explanation.refusal.empty()) return invalid("the request would be refused: " + explanation.refusal);
  response.set_backend(std::move(explanation.backend));
  response.set_server(std::move(explanation.server));
  response.set_address(std::move(explanation.address));
  response.set_cause(std::move(explanation.cause));
  for (std::string& reason : explanation.reasons) response.add_reasons(std::move(reason));
  response.set_is_one_of_several(explanation.is_one_of_several);
  return grpc::Status::OK;
}

}  // namespace

grpc::ServerUnaryReactor* explain_pick(const std::shared_ptr<Context>& context, grpc::CallbackServerContext* call,
                                       const v1::ExplainPickRequest& request, v1::ExplainPickResponse& response) {
  if (request.target_case() == v1::ExplainPickRequest::TARGET_NOT_SET) {
    return refuse(call, invalid("target: is not set; name a backend or a listener"));
  }
  std::expected<observe::Question, std::string> question = to_question(request);
  if (!question) return refuse(call, invalid(question.error()));
  auto unary = UnaryCall::open(context);
  auto look = [context, unary, request, question = *std::move(question), &response](store::Reader& reader) mutable {
    if (std::string missing = find_target(request, reader, question); !missing.empty()) {
      return unary->answer(
          [missing] { return grpc::Status(grpc::StatusCode::NOT_FOUND, missing + ": does not exist"); });
    }
    context->collector.explain(std::move(question), [unary, &response](observe::Explanation explanation) {
      unary->answer(
          [explanation = std::move(explanation), &response]() mutable { return fill(explanation, response); });
    });
  };
  store::Store::Posted posted = context->store.read(std::move(look));
  if (posted != store::Store::Posted::kYes) unary->answer([posted] { return to_status(posted); });
  return unary.get();
}

}  // namespace fairlead::management
