// The formula of the Kubernetes Horizontal Pod Autoscaler:
//
//   desired = ceil(servers * (load for each server) / target)
//
// https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/#algorithm-details
#pragma once

namespace fairlead::scaling {

struct Target {
  // Requests in flight that one server should have. Above 0.
  double in_flight_per_server = 1;
  // While load / target is within 1 +- this, nothing changes. At least 0.
  double tolerance = 0.1;
};

// How many servers carry `load` (requests in flight over all of them) at the target. `servers` counts those that are
// wanted now, also those that only start: they carry nothing yet, which keeps a burst from being answered twice.
// Without servers there is no ratio to keep within the tolerance. Never below 0; limits are the caller's.
int desired_servers(int servers, double load, const Target& target);

}  // namespace fairlead::scaling
