#include "management/everything_cursor.h"

namespace fairlead::management {

EverythingCursor::Item EverythingCursor::next() {
  if (certificate_ < everything_.certificates.size()) return everything_.certificates[certificate_++];
  while (group_ < everything_.backends.size()) {
    const store::Everything::Group& group = everything_.backends[group_];
    if (!in_group_) {
      in_group_ = true;
      slot_ = 0;
      return group.backend;
    }
    config::Slot found = 0;
    if (const base::Ref<const config::Server>* server = group.members.next_from(slot_, found)) {
      slot_ = found + 1;
      if (!state_ && (*server)->is_discovered()) continue;
      return everything_.view(group, *server);
    }
    in_group_ = false;
    ++group_;
  }
  if (state_ && departed_ < everything_.departing.size()) return everything_.departing[departed_++];
  if (listener_ < everything_.listeners.size()) return everything_.listeners[listener_++];
  return std::monostate();
}

}  // namespace fairlead::management
