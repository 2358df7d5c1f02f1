// The tables of a journal's file, and the way from each older form of them to the present one.
#pragma once

#include <span>

#include "absl/status/status.h"
#include "journal/database.h"

namespace fairlead::journal {

// "Flea": in the header of each of our files, at a fixed place.
inline constexpr int32_t kApplicationId = 0x466c6561;

// One step of a migration: from this version to the next one.
struct Migration {
  int from;
  const char* sql;
};

struct Schema {
  int version;
  std::span<const Migration> migrations;
};

// Version 1 and no way yet: nothing older exists.
Schema present_schema();

// In an empty file.
absl::Status create_tables(Database& database);

// Brings older tables to `schema`, in a transaction that is left open where there was something to do: the caller
// commits when it finds that the content is sound. Refuses what is newer than `schema`, and an older one that no
// migration leads from.
absl::Status migrate(Database& database, const Schema& schema);

}  // namespace fairlead::journal
