// The version of this build.
#pragma once

namespace fairlead::base {
inline constexpr const char* kVersion = "0.1.0";
}
