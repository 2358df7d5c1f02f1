#include "management/credentials.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

#include "absl/time/time.h"
#include "base/descriptor.h"
#include "config/text.h"
#include "config/validate.h"
#include "spdlog/spdlog.h"
#include "tls/identity.h"

namespace fairlead::management {
namespace {

using config::concat;
using Clock = std::chrono::system_clock;

constexpr size_t kFileBytesMax = 1 << 20;

constexpr const char* kCertificate = "certificate_file";
constexpr const char* kPrivateKey = "private_key_file";
constexpr const char* kClientCa = "client_ca_file";

absl::Status problem(std::string_view field, const std::string& path, std::string_view text) {
  return absl::FailedPreconditionError(concat("management.tls.", field, ": ", config::quoted(path), " ", text));
}

// A file that hangs (a pipe, a device) is none.
absl::StatusOr<std::string> read_file(std::string_view field, const std::string& path) {
  base::Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file) return problem(field, path, concat("cannot be read: ", strerror(errno)));
  struct stat status{};
  if (::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
    return problem(field, path, "is not a regular file");
  }
  std::string text;
  std::array<char, 16 * 1024> piece;
  while (true) {
    ssize_t count = ::read(file.get(), piece.data(), piece.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return problem(field, path, concat("cannot be read: ", strerror(errno)));
    if (count == 0) return text;
    text.append(piece.data(), static_cast<size_t>(count));
    if (text.size() > kFileBytesMax) return problem(field, path, "has more than 1 MiB, the most that is allowed");
  }
}

std::string time_text(Clock::time_point time) {
  return absl::FormatTime("%Y-%m-%d %H:%M:%S UTC", absl::FromChrono(time), absl::UTCTimeZone());
}

void warn_of_open_key(const std::string& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0 || (status.st_mode & S_IROTH) == 0) return;
  spdlog::warn("management.tls.private_key_file: {} may be read by everybody; chmod o-r it", config::quoted(path));
}

}  // namespace

Credentials::Credentials(TlsSettings settings) : settings_(std::move(settings)), seen_(read()) {}

absl::StatusOr<std::shared_ptr<Credentials>> Credentials::load(TlsSettings settings) {
  std::shared_ptr<Credentials> self(new Credentials(std::move(settings)));
  absl::StatusOr<Made> made = self->make(self->seen_);
  if (!made.ok()) return made.status();
  warn_of_open_key(self->settings_.private_key_file);
  self->made_ = *std::move(made);
  return self;
}

Credentials::Contents Credentials::read() const {
  return {read_file(kCertificate, settings_.certificate_file), read_file(kPrivateKey, settings_.private_key_file),
          read_file(kClientCa, settings_.client_ca_file)};
}

absl::StatusOr<Credentials::Made> Credentials::make(const Contents& contents) const {
  for (const auto* file : {&contents.certificate, &contents.private_key, &contents.client_ca}) {
    if (!file->ok()) return file->status();
  }
  auto chain = tls::read_chain(*contents.certificate);
  if (!chain) return problem(kCertificate, settings_.certificate_file, chain.error().text);
  const config::CertificateFacts& facts = chain->facts;
  if (facts.expires <= Clock::now()) {
    return problem(kCertificate, settings_.certificate_file, concat("has expired on ", time_text(facts.expires)));
  }
  auto identity = tls::Identity::make(chain->pem, *contents.private_key, "");
  if (!identity) {
    bool is_key = identity.error().field == tls::CertificateProblem::Field::kPrivateKey;
    return problem(is_key ? kPrivateKey : kCertificate,
                   is_key ? settings_.private_key_file : settings_.certificate_file, identity.error().text);
  }
  if (std::string wrong = tls::check_authorities(*contents.client_ca); !wrong.empty()) {
    return problem(kClientCa, settings_.client_ca_file, wrong);
  }
  // Every connection is looked at anew: nobody comes back by what he once had.
  config::ListenerTls wanted{
      .certificates = {},
      .min_version = std::nullopt,
      .ciphers = "",
      .cipher_suites = "",
      .alpn = {"h2"},
      .client_certificates =
          config::ClientCertificates{.required = true, .ca = *contents.client_ca, .subject_header = ""},
      .strict_sni = false,
      .handshake_timeout = settings_.handshake_timeout,
      .session_tickets = false,
      .pass_through = std::nullopt};
  std::array identities = {*identity};
  return Made{tls::ServerContext::make(wanted, /*http=*/false, identities, /*former=*/nullptr), facts.expires,
              facts.subject};
}

std::shared_ptr<const tls::ServerContext> Credentials::current() const {
  std::lock_guard lock(mutex_);
  return made_.context;
}

Clock::time_point Credentials::expires() const {
  std::lock_guard lock(mutex_);
  return made_.expires;
}

void Credentials::refresh(Counts& counts) {
  std::lock_guard refreshing(refreshing_);
  Contents now = read();
  if (now == seen_) return;
  seen_ = std::move(now);
  absl::StatusOr<Made> made = make(seen_);
  if (!made.ok()) {
    ++counts.reloads_refused;
    spdlog::error("{}; what was there before stays in service", std::string(made.status().message()));
    return;
  }
  std::string text = concat(config::quoted(made->subject), ", until ", time_text(made->expires));
  {
    std::lock_guard lock(mutex_);
    made_ = *std::move(made);
  }
  ++counts.reloads_done;
  spdlog::info("management.tls: files have changed: {}, is in service", text);
}

}  // namespace fairlead::management
