// A listener's HttpOptions, beyond the sizes of heads, and its error pages, between the model and the schema. Pure; any
// thread.
#pragma once

#include "api/field_checker.h"
#include "config/error_pages.h"
#include "config/http_policy.h"
#include "fairlead/v1/resources.pb.h"

namespace fairlead::api {

config::HttpPolicy decode_http_policy(FieldChecker& checker, const v1::HttpOptions& message);
void encode(const config::HttpPolicy& policy, v1::Listener& out);

// Null: there are none.
base::Ref<const config::ErrorPages> decode_error_pages(FieldChecker& checker, const v1::Listener& listener);
void encode(const config::ErrorPages& pages, v1::Listener& out);

// Of a response of our own: a header's value, at most 255 bytes.
config::Problem check_content_type(const std::string& value);

}  // namespace fairlead::api
