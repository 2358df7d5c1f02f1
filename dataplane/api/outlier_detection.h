// A backend's outlier detection between the model and the schema. Pure; any thread.
#pragma once

#include <optional>

#include "api/field_checker.h"
#include "config/outlier_detection.h"
#include "fairlead/v1/resources.pb.h"

namespace fairlead::api {

// Nothing where no field is set: an empty message says no more than none. Fields are named
// "outlier_detection.interval". What is wrong is the checker's to tell.
std::optional<config::OutlierDetection> decode_outlier_detection(FieldChecker& checker, const v1::Backend& backend);
void encode(const config::OutlierDetection& settings, v1::OutlierDetection& out);

}  // namespace fairlead::api
