// A gRPC channel to a data plane. Includes gRPC: only for .cc files.
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include "session/tls_files.h"

namespace fairlead::session {

// It connects when first used and tries again at most every second: how often is the caller's back-off.
std::shared_ptr<grpc::Channel> make_channel(const std::string& address, const TlsFiles& tls);

// "UNAVAILABLE: connection refused".
std::string describe(const grpc::Status& status);

}  // namespace fairlead::session
