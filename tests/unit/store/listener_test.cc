#include "gmock/gmock.h"
#include "store_fixture.h"

namespace fairlead::store {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing::UnorderedElementsAre;

class ListenerTest : public StoreFixture {
 protected:
  void SetUp() override { must(kWeb); }
  static std::string listener(const std::string& name, const std::string& bind) {
    return "operations { upsert { listener { name: \"" + name + "\" " + bind +
           " protocol: PROTOCOL_HTTP default_backend: \"web\" } } }";
  }
  std::vector<std::string> bound(const std::string& name) {
    std::vector<std::string> result;
    auto record = read([&](Reader& reader) { return reader.find_listener(name)->record; });
    for (const config::Endpoint& endpoint : record->bound) result.push_back(endpoint.to_string());
    return result;
  }
};

TEST_F(ListenerTest, AcceptsOnceItIsPublishedAndTellsRealPorts) {
  must(listener("l", "bind: \"127.0.0.1:0\" bind: \"127.0.0.1:81\""));
  EXPECT_THAT(bound("l"), ElementsAre("127.0.0.1:40000", "127.0.0.1:81"));
  EXPECT_THAT(half_.accepting(), SizeIs(1));
}

TEST_F(ListenerTest, DeletingItClosesItsAddresses) {
  must(listener("l", "bind: \"127.0.0.1:81\""));
  must("operations { delete { listener: \"l\" } }");
  EXPECT_THAT(half_.open_addresses(), IsEmpty());
  EXPECT_THAT(half_.accepting(), IsEmpty());
  must(listener("l", "bind: \"127.0.0.1:81\""));
}

TEST_F(ListenerTest, OneThatIsDeletedBeforeItAcceptedClosesItsAddresses) {
  must(listener("l", "bind: \"127.0.0.1:81\"") + "operations { delete { listener: \"l\" } }");
  EXPECT_THAT(half_.open_addresses(), IsEmpty());
}

TEST_F(ListenerTest, ATakenAddressLeavesNothingHalfOpen) {
  half_.take_address("127.0.0.1:82");
  Result result = apply(listener("a", "bind: \"127.0.0.1:81\"") + listener("b", "bind: \"127.0.0.1:82\""));
  EXPECT_EQ(result.failures.at(0).failure.reason, v1::REASON_BIND_FAILED);
  EXPECT_THAT(reason_of(result), HasSubstr("listener b: bind: 127.0.0.1:82"));
  EXPECT_THAT(half_.open_addresses(), IsEmpty());
}

TEST_F(ListenerTest, TwoListenersNeverShareAnAddress) {
  must(listener("a", "bind: \"127.0.0.1:81\""));
  Result result = apply(listener("b", "bind: \"127.0.0.1:81\""));
  EXPECT_THAT(reason_of(result), HasSubstr("is in use by listener a"));
}

TEST_F(ListenerTest, ChangingBindInPlaceKeepsWhatStays) {
  must(listener("l", "bind: \"127.0.0.1:81\" bind: \"127.0.0.1:0\""));
  must(listener("l", "bind: \"127.0.0.1:0\" bind: \"127.0.0.1:82\""));
  // The free port that it got stays the same.
  EXPECT_THAT(bound("l"), ElementsAre("127.0.0.1:40000", "127.0.0.1:82"));
  EXPECT_THAT(half_.open_addresses(), UnorderedElementsAre("127.0.0.1:40000", "127.0.0.1:82"));
}

TEST_F(ListenerTest, AFreePortThatItGotCanBecomeItsOwn) {
  must(listener("l", "bind: \"127.0.0.1:0\" bind: \"127.0.0.1:0\""));
  ASSERT_THAT(bound("l"), ElementsAre("127.0.0.1:40000", "127.0.0.1:40001"));
  must(listener("l", "bind: \"127.0.0.1:0\" bind: \"127.0.0.1:40000\""));
  EXPECT_THAT(bound("l"), ElementsAre("127.0.0.1:40001", "127.0.0.1:40000"));
  must(listener("l", "bind: \"127.0.0.1:40000\""));
  EXPECT_THAT(half_.open_addresses(), ElementsAre("127.0.0.1:40000"));
}

TEST_F(ListenerTest, AnAddressThatIsGivenUpAndTakenAgainAtOnceStaysOpen) {
  must(listener("l", "bind: \"127.0.0.1:81\" bind: \"unix:/l\""));
  std::string away = listener("l", "bind: \"127.0.0.1:82\"");
  std::string back = listener("l", "bind: \"127.0.0.1:81\" bind: \"unix:/l\"");
  must(away + back);
  EXPECT_THAT(half_.open_addresses(), UnorderedElementsAre("127.0.0.1:81", "unix:/l"));
  must(away + back + away);
  EXPECT_THAT(half_.open_addresses(), ElementsAre("127.0.0.1:82"));
  must(back);
  Result result = apply(away + back + "operations { replace { backend { name: \"no\" } } }");
  EXPECT_TRUE(result.refused());
  EXPECT_THAT(half_.open_addresses(), UnorderedElementsAre("127.0.0.1:81", "unix:/l"));
  // Not where another one has it by now.
  result = apply(away + listener("other", "bind: \"127.0.0.1:81\"") + back);
  EXPECT_TRUE(result.refused());
  EXPECT_THAT(half_.open_addresses(), UnorderedElementsAre("127.0.0.1:81", "unix:/l"));
}

TEST_F(ListenerTest, ListenersChangeTheirAddressesWithEachOtherInOneTransaction) {
  const std::string a = listener("a", "bind: \"127.0.0.1:81\"");
  const std::string b = listener("b", "bind: \"127.0.0.1:82\"");
  const std::string swap = listener("a", "bind: \"127.0.0.1:82\"") + listener("b", "bind: \"127.0.0.1:81\"");
  auto expect_bound = [&](const char* of_a, const char* of_b) {
    EXPECT_THAT(bound("a"), ElementsAre(of_a));
    EXPECT_THAT(bound("b"), ElementsAre(of_b));
    EXPECT_THAT(half_.open_addresses(), UnorderedElementsAre("127.0.0.1:81", "127.0.0.1:82"));
    EXPECT_THAT(reason_of(apply(listener("c", "bind: \"127.0.0.1:81\""))), HasSubstr("is in use by listener "));
    EXPECT_THAT(reason_of(apply(listener("c", "bind: \"0.0.0.0:82\""))), HasSubstr("is in use by listener "));
  };
  must(a + b);
  EXPECT_TRUE(apply(swap + "operations { replace { backend { name: \"no\" } } }").refused());
  EXPECT_TRUE(apply(swap + "validate_only: true").failures.empty());
  expect_bound("127.0.0.1:81", "127.0.0.1:82");
  must(swap);
  expect_bound("127.0.0.1:82", "127.0.0.1:81");
  EXPECT_EQ(apply(a + b + "atomicity: ATOMICITY_EACH").failures_total, 2u) << "each alone: the address is not free yet";
  must(a + b);
  expect_bound("127.0.0.1:81", "127.0.0.1:82");
}

TEST_F(ListenerTest, AnAddressGoesToANewListenerBeforeTheOldOneIsDeleted) {
  must(listener("old", "bind: \"127.0.0.1:81\""));
  must(listener("new", "bind: \"0.0.0.0:81\"") + "operations { delete { listener: \"old\" } }");
  EXPECT_THAT(half_.open_addresses(), ElementsAre("0.0.0.0:81"));
  EXPECT_THAT(reason_of(apply(listener("third", "bind: \"127.0.0.1:81\""))), HasSubstr("is in use by listener new"));
  // It has it at the end, after all.
  must("operations { delete { listener: \"new\" } }" + listener("old", "bind: \"127.0.0.1:81\""));
  Result result = apply(listener("new", "bind: \"127.0.0.1:81\"") + listener("old", "bind: \"127.0.0.1:82\"") +
                        listener("old", "bind: \"127.0.0.1:81\""));
  EXPECT_THAT(reason_of(result), HasSubstr("is in use by listener old"));
  EXPECT_THAT(half_.open_addresses(), ElementsAre("127.0.0.1:81"));
}

// A port that it got stays its own, which its `bind` does not say.
TEST_F(ListenerTest, WhoKeepsAFreePortThatItGotGivesNothingUp) {
  const std::string keeps = listener("keeps", "bind: \"127.0.0.1:0\"");
  must(keeps);
  ASSERT_THAT(bound("keeps"), ElementsAre("127.0.0.1:40000"));
  for (const std::string& again : {keeps, listener("keeps", "bind: \"127.0.0.1:0\" bind: \"127.0.0.1:82\"")}) {
    Result result = apply(listener("takes", "bind: \"127.0.0.1:40000\"") + again);
    EXPECT_THAT(reason_of(result), HasSubstr("is in use by listener keeps"));
  }
  EXPECT_THAT(half_.open_addresses(), ElementsAre("127.0.0.1:40000"));
}

TEST_F(ListenerTest, ARefusedChangeOfBindLeavesTheOldAddresses) {
  must(listener("l", "bind: \"127.0.0.1:81\""));
  Result result =
      apply(listener("l", "bind: \"127.0.0.1:82\"") + "operations { replace { backend { name: \"no\" } } }");
  EXPECT_TRUE(result.refused());
  EXPECT_THAT(half_.open_addresses(), ElementsAre("127.0.0.1:81"));
  EXPECT_THAT(bound("l"), ElementsAre("127.0.0.1:81"));
}

TEST_F(ListenerTest, ABackendThatIsNamedCannotBeDeleted) {
  must(listener("l", "bind: \"127.0.0.1:81\""));
  Result result = apply("operations { delete { backend: \"web\" } }");
  EXPECT_EQ(result.failures.at(0).failure.reason, v1::REASON_IN_USE);
  EXPECT_EQ(reason_of(result), "backend web: is in use by listener l; change them first");
  // In one transaction with the listener it can.
  must("operations { delete { listener: \"l\" } } operations { delete { backend: \"web\" } }");
}

TEST_F(ListenerTest, AServerAtAnAddressOfOursIsALoop) {
  must(listener("l", "bind: \"0.0.0.0:81\" bind: \"127.0.0.1:82\""));
  for (const char* address : {"127.0.0.1:81", "127.0.0.1:82"}) {
    Result result = apply(std::string("operations { create { server { backend: \"web\" name: \"s\" address: \"") +
                          address + "\" } } }");
    EXPECT_EQ(result.failures.at(0).failure.reason, v1::REASON_LOOP) << address;
  }
  must("operations { create { server { backend: \"web\" name: \"s\" address: \"127.0.0.1:83\" } } }");
  Result result = apply(listener("m", "bind: \"127.0.0.1:83\""));
  EXPECT_EQ(result.failures.at(0).failure.reason, v1::REASON_LOOP);
  EXPECT_THAT(half_.open_addresses(), SizeIs(2));
}

TEST_F(ListenerTest, AllIpv6AddressesAreNoLoopForIpv4AndTheReverse) {
  auto server = [](const std::string& name, const std::string& address) {
    return "operations { create { server { backend: \"web\" name: \"" + name + "\" address: \"" + address + "\" } } }";
  };
  struct Case {
    const char* listener;
    const char* server;
    bool loops;
  };
  for (const Case& pair : {Case{"[::]:81", "127.0.0.1:81", false}, Case{"0.0.0.0:81", "[::1]:81", false},
                           Case{"[::]:81", "[::1]:81", true}, Case{"0.0.0.0:81", "127.0.0.9:81", true},
                           Case{"0.0.0.0:81", "10.0.0.1:81", false}, Case{"[::1]:81", "[::1]:81", true}}) {
    std::string bind = std::string("bind: \"") + pair.listener + "\"";
    Result listener_first = apply(listener("l", bind) + server("s", pair.server));
    EXPECT_EQ(listener_first.refused(), pair.loops) << pair.listener << " " << pair.server;
    apply(
        "operations { delete { listener: \"l\" } } operations { delete { server { backend: \"web\" name: \"s\" } } }");
    Result server_first = apply(server("s", pair.server) + listener("l", bind));
    EXPECT_EQ(server_first.refused(), pair.loops) << pair.listener << " " << pair.server;
    apply(
        "operations { delete { listener: \"l\" } } operations { delete { server { backend: \"web\" name: \"s\" } } }");
  }
}

TEST_F(ListenerTest, RoutesAreCompiledWithTheBackendsHandles) {
  must(R"(operations { create { listener { name: "l" bind: "127.0.0.1:0" protocol: PROTOCOL_HTTP
    routes { hosts: "API.example.com" hosts: "*.example.com" path_prefix: "/v1/" backend: "web" } } } })");
  auto record = read([](Reader& reader) { return reader.find_listener("l")->record; });
  auto backend = read([](Reader& reader) { return reader.find_backend("web")->record; });
  config::BackendHandle handle{backend->slot, backend->metadata.uid};
  ASSERT_THAT(record->route_table.exact, SizeIs(1));
  EXPECT_EQ(record->route_table.exact[0].name, "api.example.com");
  EXPECT_EQ(record->route_table.exact[0].paths.at(0).prefix, "/v1");
  EXPECT_EQ(record->route_table.exact[0].paths.at(0).target.backend, handle);
  EXPECT_EQ(record->route_table.wildcard.at(0).name, ".example.com");
}

}  // namespace
}  // namespace fairlead::store
