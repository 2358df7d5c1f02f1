// The bytes that a generator sends, made once.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "generator/target.h"

namespace fairlead::generator {

class Messages {
 public:
  explicit Messages(const Target& target);

  // A request's head. `close`: the connection is for this request only.
  const std::string& head(Kind kind, bool close) const { return heads_[static_cast<size_t>(kind)][close ? 1 : 0]; }
  // Upload bodies are made of pieces of this, over and over; also what TCP echoes.
  const std::string& block() const { return block_; }

 private:
  std::array<std::array<std::string, 2>, kKinds> heads_;
  std::string block_;
};

}  // namespace fairlead::generator
