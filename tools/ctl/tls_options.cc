#include "ctl/tls_options.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>
#include <sstream>

#include "absl/strings/str_cat.h"

namespace fairlead::ctl {
namespace {

Result<std::string> read_file(const char* option, const std::string& path) {
  if (path.empty()) {
    return usage_error(
        absl::StrCat(option, ": is missing; with TLS all of --tls-ca, --tls-cert and --tls-key are needed"));
  }
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  std::ostringstream content;
  content << file.rdbuf();  // (not through an iterator, which throws where a directory is opened)
  std::string text = content.str();
  if (text.empty()) {
    return refused(absl::StrCat(option, ": ", path, ": ", errno != 0 ? std::strerror(errno) : "is empty"));
  }
  if (text.find("-----BEGIN") == std::string::npos) return refused(absl::StrCat(option, ": ", path, ": is no PEM"));
  return text;
}

// A key in PEM may ask for a password; there is nobody to give it.
int no_password(char*, int, int, void*) { return 0; }

// gRPC says only that there is no channel.
Result<void> check_key(const TlsOptions& options, const TlsFiles& files) {
  const auto free_bio = [](BIO* bio) { BIO_free(bio); };
  const auto bio_over = [&](const std::string& text) {
    return std::unique_ptr<BIO, decltype(free_bio)>(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  };
  const std::unique_ptr<X509, decltype(&X509_free)> certificate(
      PEM_read_bio_X509(bio_over(files.certificate).get(), nullptr, nullptr, nullptr), &X509_free);
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(
      PEM_read_bio_PrivateKey(bio_over(files.key).get(), nullptr, no_password, nullptr), &EVP_PKEY_free);
  const bool is_its_key = certificate && key && X509_check_private_key(certificate.get(), key.get()) == 1;
  ERR_clear_error();
  if (is_its_key) return {};
  if (!certificate) return refused(absl::StrCat("--tls-cert: ", options.certificate, ": has no certificate"));
  if (!key) return refused(absl::StrCat("--tls-key: ", options.key, ": is no private key without a password"));
  return refused(
      absl::StrCat("--tls-key: ", options.key, ": is not the key of the certificate in ", options.certificate));
}

}  // namespace

Result<std::optional<TlsFiles>> read_tls_files(const TlsOptions& options, const std::string& address) {
  if (!options.is_set() || address.starts_with("unix:")) return std::nullopt;
  TlsFiles files{.ca = {}, .certificate = {}, .key = {}, .server_name = options.server_name};
  const struct {
    const char* option;
    const std::string& path;
    std::string& text;
  } wanted[] = {{"--tls-ca", options.ca, files.ca},
                {"--tls-cert", options.certificate, files.certificate},
                {"--tls-key", options.key, files.key}};
  for (const auto& one : wanted) {
    Result<std::string> text = read_file(one.option, one.path);
    if (!text) return std::unexpected(text.error());
    one.text = *std::move(text);
  }
  if (Result<void> checked = check_key(options, files); !checked) return std::unexpected(checked.error());
  return files;
}

}  // namespace fairlead::ctl
