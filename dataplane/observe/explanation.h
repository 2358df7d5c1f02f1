// Why a request goes where it goes: what is asked, and what a worker answers.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "config/model.h"

namespace fairlead::observe {

// A request that is only thought of.
struct Question {
  struct Listener {
    config::Slot slot = 0;
    config::Uid uid = 0;
  };
  std::variant<config::BackendHandle, Listener> target;
  // The client's address without its port; "unix" for one that has none.
  std::string source;
  // A whole HTTP/1.1 head.
  std::string head;
  // Of its TLS, where that is passed through: the server's name in lower case, or empty, and protocols.
  std::string sni{};
  std::vector<std::string> alpn{};
};

struct Explanation {
  // The head is none that would be let in: why.
  std::string refusal;
  // Empty: there is none.
  std::string backend;
  std::string server;
  std::string address;
  // Of no server: as in the access log.
  std::string cause;
  std::vector<std::string> reasons;
  bool is_one_of_several = false;
};

}  // namespace fairlead::observe
