// Changes for people.
#pragma once

#include <string>
#include <vector>

#include "ctl/command.h"
#include "ctl/resource_set.h"

namespace fairlead::ctl {

// Each with its lines before and after.
void print_changes(Streams& streams, const std::vector<ResourceChange>& list);

// "2 added, 1 changed"; "nothing to change".
std::string count_text(const std::vector<ResourceChange>& list);

}  // namespace fairlead::ctl
