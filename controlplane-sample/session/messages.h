// Between our words and the messages of the API.
#pragma once

#include <string>

#include "fairlead/v1/management.pb.h"
#include "session/election.h"
#include "session/events.h"

namespace fairlead::session {

// One transaction with one operation.
fairlead::v1::Transaction to_transaction(const Change& change, const std::string& backend);
Event to_event(const fairlead::v1::TransactionResult& result);
Moved to_moved(const fairlead::v1::ServerEvent& event);
ListedServer to_listed(const fairlead::v1::Server& server);
ElectionId to_election_id(const fairlead::v1::ElectionId& id);

}  // namespace fairlead::session
