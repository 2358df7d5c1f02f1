// Goes through all resources at one version, one at a time, so that a slow reader holds shared records and no copies.
#pragma once

#include <variant>

#include "store/views.h"

namespace fairlead::management {

class EverythingCursor {
 public:
  using Item =
      std::variant<std::monostate, store::CertificateView, store::BackendView, store::ServerView, store::ListenerView>;

  // `state`: also deleted servers that still drain, and those that DNS names; else what is configuration.
  EverythingCursor(store::Everything everything, bool state) : everything_(std::move(everything)), state_(state) {}

  // Certificates first, each backend before its servers, listeners after what they name. monostate at the end.
  Item next();
  config::Version version() const { return everything_.version; }

 private:
  store::Everything everything_;
  bool state_;
  size_t certificate_ = 0;
  size_t group_ = 0;
  bool in_group_ = false;
  config::Slot slot_ = 0;
  size_t departed_ = 0;
  size_t listener_ = 0;
};

}  // namespace fairlead::management
