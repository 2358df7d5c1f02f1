#include "store/row_log.h"

#include "store/rows.h"

namespace fairlead::store {
namespace {

// What a batch needs stays for the next; what a giant needed does not.
constexpr size_t kKeptBytes = 8 << 20;

}  // namespace

RowLog::Entry& RowLog::begin(journal::Kind kind, config::Uid backend, size_t position) {
  if (enabled_) entries_.emplace_back();
  Entry& entry = enabled_ ? entries_.back() : scratch_;
  entry.kind = kind;
  entry.backend = backend;
  entry.position = position;
  return entry;
}

void RowLog::note(std::optional<Version>& version, const config::Metadata& metadata, std::string_view content,
                  std::string_view bound) {
  if (!enabled_) return;
  version.emplace();
  version->metadata = metadata;
  version->content_at = bytes_.size();
  version->content_size = static_cast<uint32_t>(content.size());
  version->bound_size = static_cast<uint32_t>(bound.size());
  (bytes_ += content) += bound;
}

void RowLog::name(Entry& entry, std::string_view first, std::string_view second) {
  if (!enabled_) return;
  entry.name_at = bytes_.size();
  bytes_ += first;
  if (!second.empty()) (bytes_ += '/') += second;
  entry.name_size = static_cast<uint32_t>(bytes_.size() - entry.name_at);
}

journal::Row RowLog::row(const Entry& entry, const Version& version) const {
  std::string_view bytes(bytes_);
  return make_row(entry.kind, entry.backend, version.metadata, bytes.substr(version.content_at, version.content_size),
                  bytes.substr(version.content_at + version.content_size, version.bound_size));
}

void RowLog::roll_back(size_t position) {
  while (!entries_.empty() && entries_.back().position >= position) entries_.pop_back();
  if (entries_.empty()) bytes_.clear();
}

void RowLog::clear() {
  entries_.clear();
  bytes_.clear();
  if (bytes_.capacity() > kKeptBytes) {
    bytes_.shrink_to_fit();
    entries_.shrink_to_fit();
  }
}

}  // namespace fairlead::store
