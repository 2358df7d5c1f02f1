// Operations on certificates.
#include <utility>

#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "api/certificate.h"
#include "api/encode.h"
#include "api/patch.h"
#include "config/settings.h"
#include "config/text.h"
#include "store/applier.h"
#include "store/tls_contexts.h"

namespace fairlead::store {
namespace {

using config::concat;

api::Failure invalid(const config::Certificate& certificate, std::string field, std::string problem) {
  return {v1::REASON_INVALID, api::certificate_title(certificate.name), std::move(field), std::move(problem)};
}

api::Failure not_found(const std::string& name) {
  return {v1::REASON_NOT_FOUND, api::certificate_title(name), "", "does not exist"};
}

std::string text_of(config::WallTime time) {
  return absl::FormatTime("%Y-%m-%d %H:%M:%S UTC", absl::FromChrono(time), absl::UTCTimeZone());
}

}  // namespace

auto Applier::apply(api::WriteCertificate& write) -> Failed {
  const std::string& name = write.draft->name;
  base::Ref<const config::Certificate> before(model_.find_certificate(name));
  if (!before && write.mode == api::WriteMode::kReplace) return not_found(name);
  if (before) touched_.certificate = CertificateView{before, model_.users_of_certificate(name)};
  if (before && config::same_settings(*before, *write.draft)) return std::nullopt;
  if (before && write.mode == api::WriteMode::kCreate) {
    return api::Failure{v1::REASON_ALREADY_EXISTS, api::certificate_title(name), "",
                        "exists with other content; update or delete it"};
  }
  if (!before && model_.certificates().size() >= limits_.certificates) {
    return api::Failure{
        v1::REASON_LIMIT_EXCEEDED, api::certificate_title(name), "",
        concat("there are ", limits_.certificates, " certificates already, the most that this data plane takes")};
  }
  if (Failed failure = check_new(*write.draft, before.get())) return failure;
  if (model_.seal()) write.draft->sealed_key = model_.seal()->seal(write.draft->private_key, name);
  write.draft->metadata = before ? updated(before->metadata) : new_metadata();
  changed();
  base::Ref<const config::Certificate> after = write.draft;
  model_.place_certificate(before, after);
  std::vector<std::string> users = model_.users_of_certificate(name);
  for (const std::string& user : users) {
    base::Ref<const config::Listener> listener(model_.find_listener(user));
    auto renewed = base::make_ref<config::Listener>(*listener);
    renewed->tls_context = make_tls_context(model_, *renewed, listener.get());
    model_.renew_listener(listener, renewed);
  }
  for (BackendState* backend : model_.backends_with_certificate(name)) {
    auto renewed = base::make_ref<config::Backend>(*backend->settings);
    renewed->tls_context = make_tls_context(model_, *renewed);
    model_.renew_backend(*backend, renewed);
    if (renewed->health_check) effects_.effects.push_back(FollowChecks{backend->handle(), /*members=*/false});
  }
  add_event(before ? v1::CHANGE_UPDATED : v1::CHANGE_CREATED, after, before);
  touched_.certificate = CertificateView{std::move(after), std::move(users)};
  return std::nullopt;
}

// It has what it needs then: a private key, that of the former one where none was sent.
auto Applier::check_new(config::Certificate& certificate, const config::Certificate* before) const -> Failed {
  if (!certificate.identity) {
    if (!before) return invalid(certificate, "private_key", "is not set; a new certificate needs one");
    if (Failed failure = api::add_private_key(before->private_key, certificate)) {
      failure->problem = concat("is not set, and the present one ", failure->problem);
      return failure;
    }
  }
  if (certificate.facts.expires <= now_) {
    return invalid(certificate, "chain", concat("has expired on ", text_of(certificate.facts.expires)));
  }
  if (!tls::is_used_key_type(certificate.facts.key_type)) {
    return invalid(certificate, "private_key",
                   concat("is of type ", certificate.facts.key_type,
                          "; used are RSA, EC P-256, EC P-384, EC P-521 and Ed25519, which clients know"));
  }
  if (const tls::Staple* staple = certificate.identity->staple()) {
    if (!staple->problem.empty()) return invalid(certificate, "ocsp_response", staple->problem);
    // What is put back may be older than it holds, and is then not stapled.
    if (staple->not_after <= now_ && !restores_) {
      return invalid(certificate, "ocsp_response", concat("holds no more since ", text_of(staple->not_after)));
    }
  }
  if (model_.notes_rows() && !model_.seal()) {
    return api::Failure{v1::REASON_NO_ENCRYPTION, api::certificate_title(certificate.name), "private_key",
                        "cannot be kept: this data plane has a state directory and no certificate_key_file, with which "
                        "keys are encrypted there"};
  }
  return std::nullopt;
}

auto Applier::patch_certificate(const v1::Patch& patch) -> Failed {
  const v1::Certificate& source = patch.resource().certificate();
  base::Ref<const config::Certificate> before(model_.find_certificate(source.name()));
  if (!before) return not_found(source.name());
  v1::Certificate message;
  api::encode(*before, message);
  api::apply_mask(patch.update_mask(), source, message);
  auto draft = api::decode_certificate(message);
  if (!draft) return std::move(draft.error());
  api::WriteCertificate write{api::WriteMode::kReplace, *std::move(draft)};
  return apply(write);
}

auto Applier::apply(api::DeleteCertificate& request) -> Failed {
  base::Ref<const config::Certificate> certificate(model_.find_certificate(request.name));
  if (!certificate) return std::nullopt;
  std::vector<std::string> users = model_.users_of_certificate(request.name);
  if (!users.empty()) {
    bool many = users.size() > 10;
    if (many) users.resize(10);
    return api::Failure{
        v1::REASON_IN_USE, api::certificate_title(request.name), "",
        concat("is in use by listeners ", absl::StrJoin(users, ", "), many ? " and more" : "", "; change them first")};
  }
  if (auto backends = model_.backends_with_certificate(request.name); !backends.empty()) {
    return api::Failure{v1::REASON_IN_USE, api::certificate_title(request.name), "",
                        concat("is in use by ", api::backend_title(backends.front()->settings->name),
                               backends.size() > 1 ? " and others" : "", "; change that first")};
  }
  touched_.existed = true;
  changed();
  add_event(v1::CHANGE_DELETED, certificate);
  model_.place_certificate(certificate, nullptr);
  return std::nullopt;
}

}  // namespace fairlead::store
