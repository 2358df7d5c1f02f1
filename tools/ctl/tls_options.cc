#include "ctl/tls_options.h"

#include <cerrno>
#include <cstring>
#include <fstream>
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
  const std::string text = content.str();
  if (text.empty()) {
    return refused(absl::StrCat(option, ": ", path, ": ", errno != 0 ? std::strerror(errno) : "is empty"));
  }
  if (text.find("-----BEGIN") == std::string::npos) return refused(absl::StrCat(option, ": ", path, ": is no PEM"));
  return text;
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
  return files;
}

}  // namespace fairlead::ctl
