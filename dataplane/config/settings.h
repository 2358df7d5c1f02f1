// Whether two records of the same kind say the same: everything but slot and metadata, and what follows from the
// settings (a listener's bound addresses and compiled routes). An update of equal settings changes nothing.
#pragma once

#include "config/certificate.h"
#include "config/model.h"

namespace fairlead::config {

bool same_settings(const Server& a, const Server& b);
bool same_settings(const Backend& a, const Backend& b);
bool same_settings(const Listener& a, const Listener& b);
// A chain says which private key it is.
bool same_settings(const Certificate& a, const Certificate& b);

}  // namespace fairlead::config
