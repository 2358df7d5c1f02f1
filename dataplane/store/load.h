// From the journal to a model: everything that was acknowledged, as it was.
#pragma once

#include "absl/status/status.h"
#include "journal/journal.h"
#include "store/effects.h"
#include "store/model.h"
#include "store/reading_half.h"

namespace fairlead::store {

// Fills an empty `model`, opens the addresses of its listeners (a free port is the one that it was, if that is still
// free), and adds to `effects` what has to follow the publication. A new journal gets `epoch`. Errors name the file and
// what is wrong with it, or the listener and the address that cannot be opened.
absl::Status load(journal::Journal& journal, uint64_t epoch, Model& model, ReadingHalf& reading_half, Effects& effects);

}  // namespace fairlead::store
