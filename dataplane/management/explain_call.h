// ExplainPick: a request that is only thought of, put to a worker.
#pragma once

#include <memory>

#include "grpcpp/server_context.h"
#include "management/unary.h"

namespace fairlead::management {

grpc::ServerUnaryReactor* explain_pick(const std::shared_ptr<Context>& context, grpc::CallbackServerContext* call,
                                       const v1::ExplainPickRequest& request, v1::ExplainPickResponse& response);

}  // namespace fairlead::management
