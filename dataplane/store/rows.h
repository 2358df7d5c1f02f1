// Between the model's records and the journal's rows. Pure; any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "config/model.h"
#include "journal/file.h"
#include "journal/rows.h"
#include "store/views.h"
#include "tls/seal.h"

namespace fairlead::store {

// What a row has as `bound`.
std::string bound_to_lines(const std::vector<config::Endpoint>& bound);
std::string bound_to_slot(config::Slot slot);

journal::Row make_row(journal::Kind kind, config::Uid backend, const config::Metadata& metadata,
                      std::string_view content, std::string_view bound);

// DataLoss where the content makes no sense.
absl::StatusOr<base::Ref<config::Server>> read_server(const journal::Row& row);
// Unset where the row does not say it: it is of a former version.
std::optional<config::Slot> read_slot(const journal::Row& row);
absl::StatusOr<base::Ref<config::Backend>> read_backend(const journal::Row& row);
// `bound` as the row says; not compiled.
absl::StatusOr<base::Ref<config::Listener>> read_listener(const journal::Row& row);

// Its private key is encrypted with `seal`, which may be null: then, and where another key had encrypted it, that is an
// error.
absl::StatusOr<base::Ref<config::Certificate>> read_certificate(const journal::Row& row, const tls::Seal* seal);

// All rows of a configuration, for a new file. In the order of kinds, not of uids.
journal::EachRow rows_of(Everything everything);

}  // namespace fairlead::store
