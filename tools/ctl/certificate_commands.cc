// Certificates.
#include "api/yaml.h"
#include "ctl/command.h"
#include "ctl/kinds.h"
#include "ctl/resource_verbs.h"

namespace fairlead::ctl {
namespace {

// What stands in the file that the option names; false where it is not given.
Result<bool> read_option(const Arguments& arguments, const std::string& option, std::string& text) {
  if (!arguments.has(option)) return false;
  absl::StatusOr<std::string> read = api::read_yaml_file(arguments.value(option));
  if (!read.ok()) return usage_error(absl::StrCat("--", option, ": ", std::string(read.status().message())));
  text = *std::move(read);
  return true;
}

// Adds it, or changes the fields that are given.
Result<void> run_certificate_set(Context& context) {
  v1::Certificate certificate;
  certificate.set_name(context.arguments.operand(0));
  google::protobuf::FieldMask mask;
  const auto read = [&](const std::string& option, const std::string& path, std::string* text) -> Result<void> {
    auto given = read_option(context.arguments, option, *text);
    if (!given) return std::unexpected(given.error());
    if (*given) mask.add_paths(path);
    return {};
  };
  if (auto done = read("chain", "chain", certificate.mutable_chain()); !done) return done;
  if (auto done = read("key", "private_key", certificate.mutable_private_key()); !done) return done;
  if (auto done = read("ocsp", "ocsp_response", certificate.mutable_ocsp_response()); !done) return done;
  if (context.arguments.has("label")) {
    auto labels = parse_labels("--label", context.arguments.values("label"));
    if (!labels) return std::unexpected(labels.error());
    certificate.mutable_labels()->insert(labels->begin(), labels->end());
    mask.add_paths("labels");
  }
  if (mask.paths().empty()) return usage_error("nothing to set: give at least one option");
  v1::ApplyTransactionRequest request;
  v1::Operation& operation = *request.mutable_transaction()->add_operations();
  // With both it is whole, whether or not it is there already.
  if (context.arguments.has("chain") && context.arguments.has("key")) {
    *operation.mutable_upsert()->mutable_certificate() = certificate;
  } else {
    *operation.mutable_patch()->mutable_resource()->mutable_certificate() = certificate;
    *operation.mutable_patch()->mutable_update_mask() = mask;
  }
  auto result = apply_transaction(context, request);
  if (!result) return std::unexpected(result.error());
  if (print_message(context, *result)) return {};
  context.streams.out << "certificate " << printable(certificate.name()) << " set (version " << result->version()
                      << ")\n";
  return {};
}

Result<void> run_certificate_delete(Context& context) {
  v1::DeleteCertificateRequest request;
  request.set_name(context.arguments.operand(0));
  auto response = context.client.call(&Client::Management::DeleteCertificate, request);
  if (!response) return std::unexpected(response.error());
  report_deletion<CertificateKind>(context, printable(request.name()), *response, "deleted");
  return {};
}

}  // namespace

std::vector<Command> certificate_commands() {
  return {
      {.name = "certificate set",
       .operands = "NAME",
       .operands_min = 1,
       .operands_max = 1,
       .summary = "adds a certificate, or replaces it for the listeners that have it",
       .details = "The former one stays in service where anything is wrong. Without --key the private key stays.",
       .options = {{.name = "chain", .value = "FILE", .help = "PEM: the certificate first, then who has signed it"},
                   {.name = "key", .value = "FILE", .help = "PEM: its private key, without a passphrase"},
                   {.name = "ocsp", .value = "FILE", .help = "an OCSP response to staple, in base64"},
                   {.name = "label", .value = "KEY=VALUE", .help = "a label; replaces all", .repeatable = true}},
       .examples = {"fairleadctl certificate set example --chain fullchain.pem --key privkey.pem"},
       .run = run_certificate_set},
      {.name = "certificate delete",
       .operands = "NAME",
       .operands_min = 1,
       .operands_max = 1,
       .summary = "removes one that no listener names",
       .examples = {"fairleadctl certificate delete example"},
       .run = run_certificate_delete},
      {.name = "certificate list",
       .summary = "shows all certificates, and when they expire",
       .options = {selector_option()},
       .examples = {"fairleadctl certificate list"},
       .run = run_list<CertificateKind>},
      {.name = "certificate get",
       .operands = "NAME",
       .operands_min = 1,
       .operands_max = 1,
       .summary = "shows one certificate, never its private key",
       .examples = {"fairleadctl certificate get example -o yaml"},
       .run = run_get<CertificateKind>},
  };
}

}  // namespace fairlead::ctl
