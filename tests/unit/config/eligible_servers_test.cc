#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <map>
#include <random>
#include <vector>

#include "config/snapshot.h"

namespace fairlead::config {
namespace {

using ServerRef = base::Ref<const Server>;

ServerRef make_server(Uid uid, Slot slot, std::optional<uint16_t> weight,
                      std::optional<AdminState> admin_state = std::nullopt) {
  auto server = base::make_ref<Server>();
  server->metadata.uid = uid;
  server->slot = slot;
  server->weight = weight;
  server->admin_state = admin_state;
  return server;
}

using Content = std::map<std::pair<uint16_t, Slot>, const Server*>;

std::map<Uid, const Server*> by_age(const EligibleServers& eligible) {
  std::map<Uid, const Server*> content;
  eligible.by_age().for_each([&](Uid uid, const ServerRef& server) { content[uid] = server.get(); });
  return content;
}

Content content_of(const EligibleServers& eligible) {
  Content content;
  eligible.classes().for_each([&](uint16_t weight_class, const base::SlotSet& slots) {
    EXPECT_FALSE(slots.empty());
    slots.for_each([&](Slot slot) { content[{weight_class, slot}] = eligible.find(slot)->get(); });
  });
  EXPECT_EQ(eligible.size(), content.size());
  return content;
}

TEST(EligibleServers, AServerWithoutAWeightStandsInTheDefaultClass) {
  EligibleServers eligible;
  auto heavy = make_server(1, 0, 256);
  auto plain = make_server(2, 1, std::nullopt);
  eligible.upsert(heavy);
  eligible.upsert(plain);
  EXPECT_EQ(content_of(eligible),
            (Content{{{EligibleServers::kDefaultClass, 1}, plain.get()}, {{256, 0}, heavy.get()}}));
}

TEST(EligibleServers, WhatIsNotToBePickedIsAbsent) {
  EligibleServers eligible;
  eligible.upsert(make_server(1, 0, 0));
  eligible.upsert(make_server(2, 1, 5, AdminState::kDrain));
  eligible.upsert(make_server(3, 2, std::nullopt, AdminState::kMaintenance));
  EXPECT_TRUE(eligible.classes().empty());
  EXPECT_EQ(eligible.size(), 0u);
}

TEST(EligibleServers, AChangeOfWeightOrStateMovesTheServer) {
  EligibleServers eligible;
  auto five = make_server(1, 0, 5);
  auto seven = make_server(1, 0, 7);
  auto drained = make_server(1, 0, 7, AdminState::kDrain);
  eligible.upsert(five);
  eligible.upsert(seven);
  EXPECT_EQ(content_of(eligible), (Content{{{7, 0}, seven.get()}}));
  eligible.upsert(drained);
  EXPECT_EQ(content_of(eligible), Content{});
  eligible.upsert(seven);
  EXPECT_EQ(content_of(eligible), (Content{{{7, 0}, seven.get()}}));
}

TEST(EligibleServers, WhoComesToASlotTakesThePlaceOfWhoStoodThere) {
  EligibleServers eligible;
  eligible.keep_by_age(true);
  auto former = make_server(1, 0, 5);
  auto present = make_server(2, 0, 7);
  eligible.upsert(former);
  eligible.upsert(present);
  EXPECT_EQ(content_of(eligible), (Content{{{7, 0}, present.get()}}));
  EXPECT_EQ(by_age(eligible), (std::map<Uid, const Server*>{{2, present.get()}}));
  EXPECT_EQ(eligible.weight(1), 7u);
}

TEST(EligibleServers, AnEditionIsThatOfCopiesAlone) {
  EligibleServers eligible;
  auto server = make_server(1, 0, 5);
  eligible.upsert(server);
  const EligibleServers copy = eligible;
  EXPECT_EQ(copy.edition(), eligible.edition());
  eligible.upsert(server);
  EXPECT_NE(copy.edition(), eligible.edition());
  const uint64_t before = eligible.edition();
  eligible.erase(*server);
  EXPECT_NE(before, eligible.edition());
}

TEST(EligibleServers, ErasingAFormerHolderLeavesTheNewOne) {
  EligibleServers eligible;
  auto former = make_server(1, 0, 5);
  auto present = make_server(2, 0, 5);
  eligible.upsert(former);
  eligible.erase(*former);
  eligible.upsert(present);
  eligible.erase(*former);
  EXPECT_EQ(content_of(eligible), (Content{{{5, 0}, present.get()}}));
}

// Each server has as many places as it weighs, side by side.
void expect_places_add_up(const EligibleServers& eligible, uint16_t default_weight) {
  std::map<Slot, uint32_t> weights;
  std::array<uint32_t, EligibleServers::kLevels> at_levels{};
  uint32_t defaults = 0;
  eligible.members().for_each([&](Slot slot, const ServerRef& server) {
    const uint32_t weight = server->weight.value_or(default_weight);
    ASSERT_EQ(eligible.weight_at(slot, default_weight), weight);
    if (weight > 0) weights[slot] = weight;
    defaults += server->weight ? 0 : 1;
    if (server->weight) ++at_levels[std::bit_width(*server->weight) - 1];
  });
  for (unsigned level = 0; level < EligibleServers::kLevels; ++level) {
    EXPECT_EQ(eligible.at_level(level), at_levels[level]) << level;
  }
  EXPECT_EQ(eligible.defaults(), defaults);
  EXPECT_EQ(eligible.weighing(default_weight), weights.size());
  uint64_t place = 0;
  while (place < eligible.weight(default_weight)) {
    const EligibleServers::Places places = eligible.places_at(place, default_weight);
    ASSERT_EQ(places.begin, place);
    ASSERT_EQ(places.weight, weights[places.slot]);
    weights.erase(places.slot);
    place += places.weight;
    const EligibleServers::Places last = eligible.places_at(place - 1, default_weight);
    const EligibleServers::Places fetched =
        EligibleServers::places_at(eligible.fetch_places(place - 1, default_weight));
    for (const EligibleServers::Places& same : {last, fetched}) {
      ASSERT_EQ(same.begin, places.begin);
      ASSERT_EQ(same.weight, places.weight);
      ASSERT_EQ(same.slot, places.slot);
    }
  }
  EXPECT_EQ(place, eligible.weight(default_weight));
  EXPECT_TRUE(weights.empty());
  EXPECT_EQ(eligible.weight_at(200, default_weight), 0u);
}

// After any sequence of operations it equals what is built from the final servers, and older copies are as they were.
TEST(EligibleServers, EqualsOneBuiltFromScratch) {
  for (unsigned seed = 1; seed <= 10; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    std::mt19937 random(seed);
    EligibleServers eligible;
    // Of its time; the other from now and then.
    EligibleServers aged;
    aged.keep_by_age(true);
    std::map<Slot, ServerRef> servers;
    Uid next_uid = 1;
    EligibleServers older;
    Content older_content;
    for (int step = 0; step < 2'000; ++step) {
      if (step % 100 == 0) older = eligible, older_content = content_of(older);
      Slot slot = random() % 200;
      auto found = servers.find(slot);
      ServerRef before = found == servers.end() ? nullptr : found->second;
      if (before && random() % 3 == 0) {
        eligible.erase(*before);
        aged.erase(*before);
        servers.erase(found);
        continue;
      }
      std::optional<uint16_t> weight;
      if (random() % 3 != 0)
        weight = static_cast<uint16_t>(seed % 2 ? std::array{0, 1, 7, 256}[random() % 4] : random() % 257);
      Uid uid = before ? before->metadata.uid : next_uid++;
      auto after = make_server(uid, slot, weight, static_cast<AdminState>(random() % 3));
      eligible.upsert(after);
      aged.upsert(after);
      servers[slot] = after;
      if (random() % 50 == 0) eligible.keep_by_age(random() % 2 == 0);
      if (step % 100 == 99) EXPECT_EQ(content_of(older), older_content);
    }
    EligibleServers rebuilt;
    for (const auto& [slot, server] : servers) rebuilt.upsert(server);
    EXPECT_EQ(content_of(eligible), content_of(rebuilt));
    EXPECT_EQ(eligible.shape(), rebuilt.shape());
    for (uint16_t default_weight : {0, 3}) expect_places_add_up(eligible, default_weight);
    for (const EligibleServers* each : {&eligible, &aged}) {
      for (Slot slot = 0; slot < 200; ++slot) EXPECT_EQ(each->find(slot) != nullptr, rebuilt.find(slot) != nullptr);
    }
    rebuilt.keep_by_age(true);
    EXPECT_EQ(by_age(aged), by_age(rebuilt));
    EXPECT_EQ(aged.by_age().size(), rebuilt.size());
    eligible.keep_by_age(true);
    EXPECT_EQ(by_age(eligible), by_age(rebuilt));
    eligible.keep_by_age(false);
    EXPECT_TRUE(by_age(eligible).empty());
    for (const auto& [slot, server] : servers) eligible.erase(*server);
    EXPECT_TRUE(eligible.classes().empty());
    EXPECT_EQ(eligible.size(), 0u);
    EXPECT_EQ(eligible.weight(3), 0u);
    EXPECT_EQ(eligible.shape(), EligibleServers().shape());
  }
}

}  // namespace
}  // namespace fairlead::config
