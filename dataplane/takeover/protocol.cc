#include "takeover/protocol.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/quoted.h"

namespace fairlead::takeover {
namespace {

constexpr std::array<const char*, 4> kUses = {"listener", "management", "observation", "takeover"};

}  // namespace

base::Descriptor make_secret_file(std::string_view bytes) {
  base::Descriptor file(::memfd_create("fairlead-secrets", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  for (size_t at = 0; file && at < bytes.size();) {
    const ssize_t written = ::pwrite(file.get(), bytes.data() + at, bytes.size() - at, static_cast<off_t>(at));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return {};
    at += static_cast<size_t>(written);
  }
  if (file) ::fcntl(file.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
  return file;
}

absl::StatusOr<std::string> read_secret_file(int file) {
  struct stat status{};
  if (::fstat(file, &status) != 0) return absl::ErrnoToStatus(errno, "the file of secrets");
  const auto size = static_cast<size_t>(status.st_size);
  if (size > kSecretsMax) return absl::ResourceExhaustedError(absl::StrCat("the file of secrets has ", size, " bytes"));
  std::string bytes(size, '\0');
  for (size_t at = 0; at < size;) {
    const ssize_t got = ::pread(file, bytes.data() + at, size - at, static_cast<off_t>(at));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return absl::ErrnoToStatus(got < 0 ? errno : EIO, "the file of secrets");
    at += static_cast<size_t>(got);
  }
  return bytes;
}

bool consume(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

std::string write_offer(const OfferText& offer) {
  return absl::StrCat(kUses[static_cast<size_t>(offer.use)], " ", offer.uid, " ", offer.sockets, " ", offer.wanted,
                      "\t", offer.bound, "\n");
}

absl::StatusOr<std::vector<OfferText>> read_offers(std::string_view lines) {
  std::vector<OfferText> result;
  for (const std::string& line :
       std::vector<std::string>(absl::StrSplit(std::string(lines), '\n', absl::SkipEmpty()))) {
    std::vector<std::string> words = absl::StrSplit(line, absl::MaxSplits(' ', 3));
    OfferText offer{};
    const auto* use = words.size() == 4 ? std::ranges::find(kUses, std::string_view(words[0])) : kUses.end();
    if (use == kUses.end() || !absl::SimpleAtoi(words[1], &offer.uid) || !absl::SimpleAtoi(words[2], &offer.sockets) ||
        words[3].find('\t') == std::string::npos) {
      return absl::InvalidArgumentError("the other process offers sockets in words of its own: " + base::quoted(line));
    }
    offer.use = static_cast<Use>(use - kUses.begin());
    std::pair<std::string, std::string> addresses = absl::StrSplit(words[3], absl::MaxSplits('\t', 1));
    offer.wanted = addresses.first;
    offer.bound = addresses.second;
    result.push_back(std::move(offer));
  }
  return result;
}

absl::Status add_offers(std::string_view lines, std::vector<base::Descriptor> descriptors, std::vector<Offer>& offers) {
  absl::StatusOr<std::vector<OfferText>> texts = read_offers(lines);
  if (!texts.ok()) return texts.status();
  size_t announced = 0;
  for (const OfferText& text : *texts) announced += text.sockets;
  if (announced != descriptors.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("the other process announced ", announced, " sockets and sent ", descriptors.size()));
  }
  auto next = descriptors.begin();
  for (OfferText& text : *texts) {
    auto same = std::ranges::find_if(offers, [&](const Offer& offer) {
      return offer.use == text.use && offer.uid == text.uid && offer.wanted == text.wanted && offer.bound == text.bound;
    });
    if (same == offers.end()) {
      offers.push_back({text.use, text.uid, std::move(text.wanted), std::move(text.bound), {}});
      same = offers.end() - 1;
    }
    for (size_t i = 0; i < text.sockets; ++i) same->sockets.push_back(std::move(*next++));
  }
  return absl::OkStatus();
}

}  // namespace fairlead::takeover
