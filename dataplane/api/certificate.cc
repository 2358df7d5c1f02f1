#include "api/certificate.h"

#include "absl/strings/ascii.h"
#include "api/field_checker.h"
#include "config/text.h"

namespace fairlead::api {
namespace {

using config::concat;

constexpr size_t kChainBytesMax = 64 << 10;
constexpr size_t kKeyBytesMax = 16 << 10;
constexpr size_t kOcspBytesMax = 16 << 10;

std::string_view field_of(tls::CertificateProblem::Field field) {
  switch (field) {
    case tls::CertificateProblem::Field::kChain:
      return "chain";
    case tls::CertificateProblem::Field::kPrivateKey:
      return "private_key";
    case tls::CertificateProblem::Field::kOcspResponse:
      return "ocsp_response";
  }
  return "";
}

void check_size(FieldChecker& checker, std::string_view field, const std::string& text, size_t most) {
  if (text.size() > most) checker.fail(field, concat("has ", text.size(), " bytes, at most ", most, " are allowed"));
}

}  // namespace

Decoded<base::Ref<config::Certificate>> decode_certificate(const v1::Certificate& certificate) {
  FieldChecker checker;
  auto record = base::make_ref<config::Certificate>();
  checker.check("name", config::check_name(certificate.name()));
  record->name = certificate.name();
  if (certificate.chain().empty()) checker.fail("chain", "is not set; it is the certificate, in PEM");
  check_size(checker, "chain", certificate.chain(), kChainBytesMax);
  check_size(checker, "private_key", certificate.private_key(), kKeyBytesMax);
  check_size(checker, "ocsp_response", certificate.ocsp_response(), kOcspBytesMax);
  record->labels = checker.labels("labels", certificate.labels());
  if (checker.ok()) {
    auto chain = tls::read_chain(certificate.chain());
    if (chain) {
      record->chain = std::move(chain->pem);
      record->facts = std::move(chain->facts);
    } else {
      checker.fail(field_of(chain.error().field), chain.error().text);
    }
  }
  record->ocsp_response = std::string(absl::StripAsciiWhitespace(certificate.ocsp_response()));
  if (checker.ok() && !record->ocsp_response.empty()) {
    std::string problem = tls::check_ocsp_response(record->ocsp_response);
    if (!problem.empty()) checker.fail("ocsp_response", problem);
  }
  if (!checker.ok()) return std::unexpected(checker.take_failure(certificate_title(certificate.name())));
  if (certificate.private_key().empty()) return record;
  if (auto failure = add_private_key(certificate.private_key(), *record)) return std::unexpected(*std::move(failure));
  return record;
}

std::optional<Failure> add_private_key(const std::string& key, config::Certificate& certificate) {
  auto identity = tls::Identity::make(certificate.chain, key, certificate.ocsp_response);
  if (!identity) {
    return Failure{v1::REASON_INVALID, certificate_title(certificate.name),
                   std::string(field_of(identity.error().field)), identity.error().text};
  }
  certificate.private_key = key;
  certificate.identity = *std::move(identity);
  return std::nullopt;
}

}  // namespace fairlead::api
