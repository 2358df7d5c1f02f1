// What a listener's handshakes go by, from the model. On the store's thread.
#pragma once

#include <memory>

#include "store/model.h"

namespace fairlead::store {

// Requires that all certificates which the listener names are there. `before`: the listener until now, or null.
std::shared_ptr<const tls::ServerContext> make_tls_context(const Model& model, const config::Listener& listener,
                                                           const config::Listener* before);

// As above, of a backend.
std::shared_ptr<const tls::ClientContext> make_tls_context(const Model& model, const config::Backend& backend);

}  // namespace fairlead::store
