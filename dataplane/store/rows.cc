#include "store/rows.h"

#include <charconv>
#include <utility>

#include "absl/strings/str_split.h"
#include "api/canonical.h"
#include "api/certificate.h"
#include "api/decode.h"
#include "config/text.h"

namespace fairlead::store {
namespace {

int64_t to_ns(config::WallTime time) { return time.time_since_epoch() / std::chrono::nanoseconds(1); }

config::WallTime to_time(int64_t ns) {
  return config::WallTime(std::chrono::duration_cast<config::WallTime::duration>(std::chrono::nanoseconds(ns)));
}

absl::Status senseless(const journal::Row& row, const std::string& why) {
  return absl::DataLossError(config::concat("the content of resource ", row.uid, " makes no sense: ", why));
}

// `decode`: from the message to Decoded<>.
template <typename Message, typename Decode>
auto read(const journal::Row& row, const Decode& decode) -> absl::StatusOr<std::decay_t<decltype(*decode(Message()))>> {
  Message message;
  if (!message.ParseFromArray(row.content.data(), static_cast<int>(row.content.size()))) {
    return senseless(row, "it is no message");
  }
  auto decoded = decode(message);
  if (!decoded) return senseless(row, decoded.error().text());
  return *std::move(decoded);
}

template <typename Record>
void set_metadata(const journal::Row& row, Record& record) {
  record.metadata = {row.uid, row.version, to_time(row.create_time), to_time(row.update_time)};
}

}  // namespace

std::string bound_to_lines(const std::vector<config::Endpoint>& bound) {
  std::string lines;
  for (const config::Endpoint& endpoint : bound) (lines += endpoint.to_string()) += '\n';
  return lines;
}

std::string bound_to_slot(config::Slot slot) { return std::to_string(slot); }

journal::Row make_row(journal::Kind kind, config::Uid backend, const config::Metadata& metadata,
                      std::string_view content, std::string_view bound) {
  return {.uid = metadata.uid,
          .kind = kind,
          .backend = backend,
          .version = metadata.version,
          .create_time = to_ns(metadata.create_time),
          .update_time = to_ns(metadata.update_time),
          .content = content,
          .bound = bound};
}

absl::StatusOr<base::Ref<config::Server>> read_server(const journal::Row& row) {
  auto record = base::make_ref<config::Server>();
  if (api::read_canonical(row.content, *record)) {
    set_metadata(row, *record);
    return record;
  }
  auto draft = read<v1::Server>(row, api::decode_server);
  if (!draft.ok()) return draft.status();
  set_metadata(row, *draft->record);
  return std::move(draft->record);
}

std::optional<config::Slot> read_slot(const journal::Row& row) {
  config::Slot slot = 0;
  const char* end = row.bound.data() + row.bound.size();
  auto [at, error] = std::from_chars(row.bound.data(), end, slot);
  if (error != std::errc() || at != end) return std::nullopt;
  return slot;
}

absl::StatusOr<base::Ref<config::Backend>> read_backend(const journal::Row& row) {
  auto backend = read<v1::Backend>(row, api::decode_backend);
  if (backend.ok()) set_metadata(row, **backend);
  return backend;
}

absl::StatusOr<base::Ref<config::Listener>> read_listener(const journal::Row& row) {
  auto listener = read<v1::Listener>(row, api::decode_listener);
  if (!listener.ok()) return listener;
  set_metadata(row, **listener);
  std::string lines(row.bound);
  for (absl::string_view line : absl::StrSplit(lines, '\n', absl::SkipEmpty())) {
    absl::StatusOr<config::Endpoint> endpoint = config::Endpoint::parse({line.data(), line.size()});
    if (!endpoint.ok()) return senseless(row, std::string(endpoint.status().message()));
    (*listener)->bound.push_back(*std::move(endpoint));
  }
  if ((*listener)->bound.size() != (*listener)->bind.size()) return senseless(row, "it was bound otherwise");
  return listener;
}

absl::StatusOr<base::Ref<config::Certificate>> read_certificate(const journal::Row& row, const tls::Seal* seal) {
  auto certificate = read<v1::Certificate>(row, api::decode_certificate);
  if (!certificate.ok()) return certificate;
  config::Certificate& record = **certificate;
  set_metadata(row, record);
  auto failed = [&](std::string_view why) {
    return absl::FailedPreconditionError(
        config::concat(api::certificate_title(record.name), ": its private key in the journal ", why));
  };
  if (!seal) return failed("is encrypted; certificate_key_file names the file with the key for it");
  std::optional<std::string> key = seal->open(row.bound, record.name);
  if (!key) return failed("cannot be decrypted with the key of certificate_key_file");
  record.sealed_key = row.bound;
  if (std::optional<api::Failure> failure = api::add_private_key(*key, record)) {
    return senseless(row, failure->text());
  }
  return certificate;
}

journal::EachRow rows_of(Everything everything) {
  return [all = std::move(everything)](const journal::VisitRow& visit) {
    for (const ListenerView& listener : all.listeners) {
      std::string content = api::canonical(*listener.record);
      std::string bound = bound_to_lines(listener.record->bound);
      absl::Status status = visit(make_row(journal::Kind::kListener, 0, listener.record->metadata, content, bound));
      if (!status.ok()) return status;
    }
    for (const CertificateView& certificate : all.certificates) {
      const config::Certificate& record = *certificate.record;
      absl::Status status =
          visit(make_row(journal::Kind::kCertificate, 0, record.metadata, api::canonical(record), record.sealed_key));
      if (!status.ok()) return status;
    }
    for (const Everything::Group& group : all.backends) {
      const config::Backend& settings = *group.backend.record;
      absl::Status status =
          visit(make_row(journal::Kind::kBackend, 0, settings.metadata, api::canonical(settings), {}));
      group.members.for_each([&](config::Slot, const base::Ref<const config::Server>& server) {
        if (!status.ok() || server->is_discovered()) return;
        std::string content = api::canonical(*server, settings.name);
        std::string slot = bound_to_slot(server->slot);
        status = visit(make_row(journal::Kind::kServer, settings.metadata.uid, server->metadata, content, slot));
      });
      if (!status.ok()) return status;
    }
    return absl::OkStatus();
  };
}

}  // namespace fairlead::store
