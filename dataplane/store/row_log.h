// What changed since the last commit, as the journal's rows: each resource before and after. Bytes lie one behind the
// other, so that noting a change allocates nothing of its own. Belongs to the store's thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/model.h"
#include "journal/rows.h"

namespace fairlead::store {

// A resource as it was at one moment.
struct RowVersion {
  config::Metadata metadata;
  size_t content_at = 0;
  uint32_t content_size = 0;
  uint32_t bound_size = 0;  // follows the content
};
struct RowChange {
  journal::Kind kind = journal::Kind::kServer;
  // Of a server.
  config::Uid backend = 0;
  // Created: no `before`; deleted: no `after`.
  std::optional<RowVersion> before;
  std::optional<RowVersion> after;
  size_t name_at = 0;
  uint32_t name_size = 0;
  // Of the change among those that can be undone: noted first, and what undoes it right after.
  size_t position = 0;
};

class RowLog {
 public:
  using Version = RowVersion;
  using Entry = RowChange;

  void enable() { enabled_ = true; }
  bool is_enabled() const { return enabled_; }

  // A change begins. The reference holds until the next.
  Entry& begin(journal::Kind kind, config::Uid backend, size_t position);
  void note(std::optional<Version>& version, const config::Metadata& metadata, std::string_view content,
            std::string_view bound);
  // Of a created resource: "name" or "backend/name".
  void name(Entry& entry, std::string_view first, std::string_view second = {});

  const std::vector<Entry>& entries() const { return entries_; }
  // Texts belong to the log.
  journal::Row row(const Entry& entry, const Version& version) const;
  std::string_view name(const Entry& entry) const {
    return std::string_view(bytes_).substr(entry.name_at, entry.name_size);
  }

  // Forgets the changes from this position on.
  void roll_back(size_t position);
  void clear();

 private:
  bool enabled_ = false;
  // What is not enabled is noted here.
  Entry scratch_;
  std::vector<Entry> entries_;
  std::string bytes_;
};

}  // namespace fairlead::store
