// What the threads of sessions, sources and the provider leave for the one thread that decides.
#pragma once

#include <cstddef>
#include <variant>

#include "providers/provider.h"
#include "session/events.h"
#include "sources/load_source.h"
#include "threads/mailbox.h"

namespace fairlead::control {

struct FromSession {
  std::size_t dataplane;
  session::Event event;
};
struct FromSource {
  std::size_t dataplane;
  sources::LoadSample sample;
};
// Somebody asks this program to end.
struct StopAsked {};

using Message = std::variant<providers::Event, FromSession, FromSource, StopAsked>;

using Mailbox = threads::Mailbox<Message>;

}  // namespace fairlead::control
