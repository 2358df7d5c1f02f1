#include <gtest/gtest.h>

#include <algorithm>
#include <array>
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
  for (const auto& entry : eligible.classes()) {
    EXPECT_FALSE(entry.servers.empty());
    entry.servers.for_each(
        [&](Slot slot, const ServerRef& server) { content[{entry.weight_class, slot}] = server.get(); });
  }
  EXPECT_EQ(eligible.size(), content.size());
  EXPECT_TRUE(std::ranges::is_sorted(eligible.classes(), {}, &EligibleServers::Entry::weight_class));
  return content;
}

TEST(EligibleServers, AServerWithoutAWeightStandsInTheDefaultClass) {
  EligibleServers eligible;
  auto heavy = make_server(1, 0, 256);
  auto plain = make_server(2, 1, std::nullopt);
  eligible.upsert(nullptr, heavy);
  eligible.upsert(nullptr, plain);
  EXPECT_EQ(content_of(eligible),
            (Content{{{EligibleServers::kDefaultClass, 1}, plain.get()}, {{256, 0}, heavy.get()}}));
}

TEST(EligibleServers, WhatIsNotToBePickedIsAbsent) {
  EligibleServers eligible;
  eligible.upsert(nullptr, make_server(1, 0, 0));
  eligible.upsert(nullptr, make_server(2, 1, 5, AdminState::kDrain));
  eligible.upsert(nullptr, make_server(3, 2, std::nullopt, AdminState::kMaintenance));
  EXPECT_TRUE(eligible.classes().empty());
  EXPECT_EQ(eligible.size(), 0u);
}

TEST(EligibleServers, AChangeOfWeightOrStateMovesTheServer) {
  EligibleServers eligible;
  auto five = make_server(1, 0, 5);
  auto seven = make_server(1, 0, 7);
  auto drained = make_server(1, 0, 7, AdminState::kDrain);
  eligible.upsert(nullptr, five);
  eligible.upsert(five, seven);
  EXPECT_EQ(content_of(eligible), (Content{{{7, 0}, seven.get()}}));
  eligible.upsert(seven, drained);
  EXPECT_EQ(content_of(eligible), Content{});
  eligible.upsert(drained, seven);
  EXPECT_EQ(content_of(eligible), (Content{{{7, 0}, seven.get()}}));
}

TEST(EligibleServers, ErasingAFormerHolderLeavesTheNewOne) {
  EligibleServers eligible;
  auto former = make_server(1, 0, 5);
  auto present = make_server(2, 0, 5);
  eligible.upsert(nullptr, former);
  eligible.erase(*former);
  eligible.upsert(nullptr, present);
  eligible.erase(*former);
  EXPECT_EQ(content_of(eligible), (Content{{{5, 0}, present.get()}}));
}

Content levels_of(const EligibleServers& eligible) {
  Content content;
  uint32_t lightest = 1;
  for (const EligibleServers::Level& level : eligible.levels()) {
    level.servers.for_each([&](Slot slot, const ServerRef& server) {
      EXPECT_GE(*server->weight, lightest);
      EXPECT_LE(*server->weight, level.heaviest);
      content[{slot, *server->weight}] = server.get();
    });
    EXPECT_LT(level.heaviest, 2 * lightest);
    lightest = level.heaviest + 1u;
  }
  return content;
}

// Each server has as many places as it weighs, class by class.
void expect_places_add_up(const EligibleServers& eligible, uint16_t default_weight) {
  uint64_t at = 0;
  uint64_t size = 0;
  for (size_t i = 0; i < eligible.classes().size(); ++i) {
    const EligibleServers::Entry& entry = eligible.classes()[i];
    uint32_t weight = entry.weight_class == EligibleServers::kDefaultClass ? default_weight : entry.weight_class;
    ASSERT_EQ(eligible.weight_before(i, default_weight), at);
    size += weight > 0 ? entry.servers.size() : 0;
    if (weight == 0) continue;
    ASSERT_EQ(eligible.class_at(at, default_weight), i);
    at += uint64_t{weight} * entry.servers.size();
    ASSERT_EQ(eligible.class_at(at - 1, default_weight), i);
  }
  EXPECT_EQ(eligible.weight(default_weight), at);
  EXPECT_EQ(eligible.weighing(default_weight), size);
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
    aged.keep_levels(true);
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
      eligible.upsert(before, after);
      aged.upsert(before, after);
      servers[slot] = after;
      if (random() % 50 == 0) eligible.keep_by_age(random() % 2 == 0);
      if (random() % 50 == 0) eligible.keep_levels(random() % 2 == 0);
      if (step % 100 == 99) EXPECT_EQ(content_of(older), older_content);
    }
    EligibleServers rebuilt;
    rebuilt.keep_levels(true);
    for (const auto& [slot, server] : servers) rebuilt.upsert(nullptr, server);
    EXPECT_EQ(content_of(eligible), content_of(rebuilt));
    EXPECT_EQ(eligible.shape(), rebuilt.shape());
    EXPECT_EQ(levels_of(aged), levels_of(rebuilt));
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
