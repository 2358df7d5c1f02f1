#include "management/roles.h"

#include <set>

#include "fairlead/v1/observation.pb.h"
#include "gmock/gmock.h"
#include "management/guard.h"
#include "management/role_list.h"

namespace fairlead::management {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::MethodDescriptor;
using google::protobuf::OneofDescriptor;
using google::protobuf::ServiceDescriptor;
using testing::HasSubstr;

constexpr v1::Role kNone = v1::ROLE_UNSPECIFIED;
constexpr v1::Role kViewer = v1::ROLE_VIEWER;
constexpr v1::Role kOperator = v1::ROLE_OPERATOR;
constexpr v1::Role kEditor = v1::ROLE_EDITOR;
constexpr v1::Role kAdmin = v1::ROLE_ADMIN;

std::vector<const MethodDescriptor*> all_methods() {
  std::vector<const MethodDescriptor*> methods;
  for (const auto* file : {v1::GetInfoRequest::descriptor()->file(), v1::WatchEventsRequest::descriptor()->file()}) {
    for (int i = 0; i < file->service_count(); ++i) {
      const ServiceDescriptor* service = file->service(i);
      for (int j = 0; j < service->method_count(); ++j) methods.push_back(service->method(j));
    }
  }
  return methods;
}

TEST(Roles, EveryMethodOfTheSchemaHasARoleAndIsNamedAsItsRequest) {
  std::set<std::string> names;
  for (const MethodDescriptor* method : all_methods()) {
    EXPECT_NE(role_for_method(method->name()), kNone) << method->full_name() << " has no role: roles.cc";
    // What the doors go by (guarded_services.h).
    EXPECT_EQ(method->input_type()->name(), method->name() + "Request");
    EXPECT_TRUE(names.insert(method->name()).second) << method->name() << " is a method of both services";
  }
  EXPECT_GE(names.size(), 31u);
  EXPECT_EQ(role_for_method("AddServers"), kNone);
  EXPECT_EQ(role_for_method(""), kNone);
}

TEST(Roles, WhatOnlyReadsIsAViewersAndNothingElseIs) {
  for (const MethodDescriptor* method : all_methods()) {
    const std::string& name = method->name();
    bool reads = name.starts_with("Get") || name.starts_with("List") || name.starts_with("Watch") ||
                 name == "ExportConfig" || name == "DiffVersions" || name == "ExplainPick" ||
                 name == "StreamStatistics" || name == "StreamUpdates";
    EXPECT_EQ(role_for_method(name) == kViewer, reads) << name;
  }
}

// Every choice of every oneof on the way down to the name of a kind: all operations that there can be.
std::vector<v1::Operation> all_operations() {
  std::vector<v1::Operation> operations;
  const OneofDescriptor* actions = v1::Operation::descriptor()->FindOneofByName("action");
  const OneofDescriptor* kinds = v1::Resource::descriptor()->FindOneofByName("kind");
  const OneofDescriptor* names = v1::Delete::descriptor()->FindOneofByName("name");
  for (int i = 0; i < actions->field_count(); ++i) {
    const FieldDescriptor* action = actions->field(i);
    bool deletes = action->message_type() == v1::Delete::descriptor();
    const OneofDescriptor* choices = deletes ? names : kinds;
    for (int j = 0; j < choices->field_count(); ++j) {
      v1::Operation& operation = operations.emplace_back();
      Message* inner = operation.GetReflection()->MutableMessage(&operation, action);
      if (action->message_type() == v1::Patch::descriptor()) inner = operation.mutable_patch()->mutable_resource();
      const FieldDescriptor* choice = choices->field(j);
      if (choice->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
        inner->GetReflection()->MutableMessage(inner, choice);
      } else {
        inner->GetReflection()->SetString(inner, choice, "x");
      }
    }
  }
  return operations;
}

TEST(Roles, EveryKindOfOperationHasARole) {
  std::vector<v1::Operation> all = all_operations();
  EXPECT_EQ(all.size(), 20u);
  for (const v1::Operation& operation : all) {
    EXPECT_EQ(role_for_operation(operation), kEditor) << operation.ShortDebugString();
  }
}

v1::Operation patch(std::initializer_list<const char*> paths, bool of_server = true) {
  v1::Operation operation;
  v1::Resource& resource = *operation.mutable_patch()->mutable_resource();
  if (of_server) {
    resource.mutable_server()->set_name("s1");
    resource.mutable_server()->set_backend("web");
  } else {
    resource.mutable_backend()->set_name("web");
  }
  for (const char* path : paths) operation.mutable_patch()->mutable_update_mask()->add_paths(path);
  return operation;
}

TEST(Roles, AnOperatorChangesWeightsAndAdminStatesAlone) {
  EXPECT_EQ(role_for_operation(patch({"weight"})), kOperator);
  EXPECT_EQ(role_for_operation(patch({"admin_state", "weight"})), kOperator);
  EXPECT_EQ(role_for_operation(patch({"weight", "address"})), kEditor);
  EXPECT_EQ(role_for_operation(patch({})), kEditor);
  EXPECT_EQ(role_for_operation(patch({"*"})), kEditor);
  EXPECT_EQ(role_for_operation(patch({"weight"}, /*of_server=*/false)), kEditor);
  // Without an action there is nothing to be allowed; it is malformed.
  EXPECT_EQ(role_for_operation({}), kOperator);
  v1::Operation replace;
  replace.mutable_replace()->mutable_server()->set_weight(1);
  EXPECT_EQ(role_for_operation(replace), kEditor);
}

TEST(Roles, PrivateKeysAreForAdmins) {
  v1::Operation operation;
  operation.mutable_upsert()->mutable_certificate()->set_chain("x");
  EXPECT_EQ(role_for_operation(operation), kEditor);
  operation.mutable_upsert()->mutable_certificate()->set_private_key("x");
  EXPECT_EQ(role_for_operation(operation), kAdmin);
  v1::Operation patched;
  patched.mutable_patch()->mutable_resource()->mutable_certificate();
  patched.mutable_patch()->mutable_update_mask()->add_paths("labels");
  EXPECT_EQ(role_for_operation(patched), kEditor);
  patched.mutable_patch()->mutable_update_mask()->add_paths("private_key");
  EXPECT_EQ(role_for_operation(patched), kAdmin);
}

TEST(Roles, OverridingThePrimaryIsAnAdminsButForWhatAnOperatorChanges) {
  v1::Fence fence;
  EXPECT_EQ(role_with_fence(kOperator, fence), kOperator);
  EXPECT_EQ(role_with_fence(kEditor, fence), kEditor);
  fence.mutable_election_id()->set_low(7);
  EXPECT_EQ(role_with_fence(kEditor, fence), kEditor);
  fence.set_override(true);
  EXPECT_EQ(role_with_fence(kOperator, fence), kOperator);
  EXPECT_EQ(role_with_fence(kEditor, fence), kAdmin);
}

// --- whose role it is

RoleList list() {
  RoleList roles;
  EXPECT_FALSE(roles.add("spiffe://example.org/ci", kEditor));
  EXPECT_FALSE(roles.add("Alice", kAdmin));
  EXPECT_FALSE(roles.add("ops.example.org", kOperator));
  EXPECT_FALSE(roles.add("*.ops.example.org", kViewer));
  EXPECT_FALSE(roles.add("boss.ops.example.org", kAdmin));
  return roles;
}

tls::ClientNames names(std::vector<std::string> uris, std::vector<std::string> hosts, std::string common = "") {
  return {.uris = std::move(uris), .hosts = std::move(hosts), .common_name = std::move(common)};
}

TEST(RoleListTest, TheFirstNameThatIsListedDecides) {
  RoleList roles = list();
  auto found = [&](const tls::ClientNames& of) {
    RoleList::Found one = roles.find(of);
    return std::pair(one.name, one.role);
  };
  using Pair = std::pair<std::string, v1::Role>;
  EXPECT_EQ(found(names({"spiffe://example.org/ci"}, {}, "Alice")), Pair("spiffe://example.org/ci", kEditor));
  EXPECT_EQ(found(names({"spiffe://example.org/other"}, {"ops.example.org"}, "Alice")),
            Pair("ops.example.org", kOperator));
  EXPECT_EQ(found(names({}, {"unknown.example.org"}, "Alice")), Pair("Alice", kAdmin));
  EXPECT_EQ(found(names({}, {"x.ops.example.org"})), Pair("x.ops.example.org", kViewer));
  EXPECT_EQ(found(names({}, {"boss.ops.example.org"})), Pair("boss.ops.example.org", kAdmin));
  EXPECT_EQ(found(names({}, {"OPS.Example.org"})), Pair("OPS.Example.org", kOperator));
}

TEST(RoleListTest, WhatOnlyLooksLikeANameIsNobodys) {
  RoleList roles = list();
  auto role = [&](const tls::ClientNames& of) { return roles.find(of).role; };
  EXPECT_EQ(role(names({}, {})), kNone);
  EXPECT_EQ(role(names({}, {}, "alice")), kNone) << "the case of a common name counts";
  EXPECT_EQ(role(names({"SPIFFE://example.org/ci"}, {})), kNone);
  EXPECT_EQ(role(names({"spiffe://example.org/ci/"}, {})), kNone);
  EXPECT_EQ(role(names({"x.ops.example.org"}, {})), kNone) << "a wildcard is of hosts";
  EXPECT_EQ(role(names({}, {"a.b.ops.example.org"})), kNone) << "one label more";
  EXPECT_EQ(role(names({}, {".ops.example.org"})), kNone);
  EXPECT_EQ(role(names({}, {"*.ops.example.org"})), kNone);
  EXPECT_EQ(role(names({}, {"xops.example.org"})), kNone);
  EXPECT_EQ(role(names({}, {std::string("x\0.ops.example.org", 18)})), kNone);
  EXPECT_EQ(role(names({}, {std::string("ops.example.org\0", 16)})), kNone);
  EXPECT_EQ(role(names({}, {"evil\n.ops.example.org"})), kNone);
  // Still there is a name to say who is refused.
  EXPECT_EQ(roles.find(names({}, {"somebody"}, "else")).name, "somebody");
}

TEST(RoleListTest, NamesOfTheListAreJudged) {
  RoleList roles = list();
  auto problem = [&](const std::string& name) { return roles.add(name, kViewer).value_or(""); };
  EXPECT_THAT(problem(""), HasSubstr("is empty"));
  EXPECT_THAT(problem("Alice"), HasSubstr("is in this list already"));
  EXPECT_THAT(problem("OPS.example.org"), HasSubstr("is in this list already"));
  EXPECT_THAT(problem("*.OPS.example.org"), HasSubstr("is in this list already"));
  EXPECT_THAT(problem("*."), HasSubstr("is no wildcard"));
  EXPECT_THAT(problem("*.*.example.org"), HasSubstr("is no wildcard"));
  EXPECT_THAT(problem("*"), HasSubstr("not at its beginning"));
  EXPECT_THAT(problem("spiffe://example.org/*"), HasSubstr("not at its beginning"));
  EXPECT_THAT(problem("a\nb"), HasSubstr("cannot be printed"));
  EXPECT_THAT(problem(std::string(1025, 'a')), HasSubstr("has 1025 bytes, at most 1024 are allowed"));
  EXPECT_EQ(problem(std::string(1024, 'a')), "");
}

// --- what is said of it

TEST(GuardTest, ARefusalNamesTheClientItsRoleAndTheOneThatIsNeeded) {
  Counts counts;
  Guard guard(counts);
  Peer viewer{.name = "ci", .role = kViewer, .address = "ipv4:10.0.0.7:1"};
  EXPECT_FALSE(guard.refusal_of_call(viewer, "GetInfo"));
  auto status = guard.refusal_of_call(viewer, "AddServer");
  ASSERT_TRUE(status);
  EXPECT_EQ(status->error_code(), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(status->error_message(), "AddServer: \"ci\" has the role VIEWER, and this needs EDITOR");
  Peer nobody{.name = "x", .role = kNone, .address = "ipv4:10.0.0.7:1"};
  EXPECT_EQ(guard.refusal_of_call(nobody, "GetInfo")->error_message(),
            "GetInfo: \"x\" has no role, and this needs VIEWER");
  // However long its name is.
  Peer uri{.name = "spiffe://example.org/" + std::string(900, 'x'), .role = kViewer, .address = ""};
  EXPECT_THAT(guard.refusal_of_call(uri, "AddServer")->error_message(), HasSubstr("\"" + uri.name + "\" has the role"));
  Peer endless{.name = std::string(50'000, 'x'), .role = kNone, .address = ""};
  EXPECT_LT(guard.refusal_of_call(endless, "GetInfo")->error_message().size(), 300u);
  // What is in no table is nobody's.
  Peer admin{.name = "root", .role = kAdmin, .address = "ipv4:10.0.0.7:1"};
  EXPECT_TRUE(guard.refusal_of_call(admin, "Destroy"));
  EXPECT_EQ(counts.denied, 5u);
}

TEST(GuardTest, OneOperationTooMuchRefusesTheTransactionAndNamesEachSuchOne) {
  Counts counts;
  Guard guard(counts);
  Peer peer{.name = "night", .role = kOperator, .address = "ipv4:10.0.0.7:1"};
  v1::Transaction message;
  message.set_id(4);
  message.set_atomicity(v1::ATOMICITY_EACH);
  *message.add_operations() = patch({"weight"});
  auto restricted = [&](const v1::Fence& fence) {
    auto transaction = store::make_transaction(message, {}, std::make_shared<store::Origin>());
    bool is = guard.restrict(peer, message, fence, transaction);
    EXPECT_EQ(is, !transaction.malformed.empty());
    return transaction;
  };
  v1::Fence override;
  override.set_override(true);
  EXPECT_TRUE(restricted({}).malformed.empty());
  EXPECT_TRUE(restricted(override).malformed.empty());
  message.add_operations()->mutable_delete_()->set_backend("web");
  *message.add_operations() = patch({"address"});
  store::Transaction refused = restricted({});
  ASSERT_EQ(refused.malformed.size(), 2u);
  EXPECT_FALSE(refused.each) << "or the others would be applied";
  EXPECT_EQ(refused.malformed[0].index, 1u);
  EXPECT_EQ(refused.malformed[0].failure.reason, v1::REASON_PERMISSION_DENIED);
  EXPECT_EQ(refused.malformed[0].failure.text(), "backend web: \"night\" has the role OPERATOR, and this needs EDITOR");
  EXPECT_EQ(refused.malformed[1].index, 2u);
  // An editor may do all of that, but not whoever is primary.
  peer.role = kEditor;
  EXPECT_TRUE(restricted({}).malformed.empty());
  store::Transaction overriding = restricted(override);
  ASSERT_EQ(overriding.malformed.size(), 1u);
  EXPECT_EQ(overriding.malformed[0].failure.text(),
            "transaction 4: fence.override: \"night\" has the role EDITOR, and this needs ADMIN");
  peer.role = kAdmin;
  EXPECT_TRUE(restricted(override).malformed.empty());
}

TEST(PeersTest, AreFoundByTheNameThatTheirConnectionHasAndByNoOther) {
  Peers peers;
  auto alice = std::make_shared<const Peer>(Peer{.name = "alice", .role = kEditor, .address = "ipv4:10.0.0.7:1"});
  std::string first = peers.add(alice);
  std::string second = peers.add(std::make_shared<const Peer>(Peer{.name = "bob", .role = kViewer, .address = "x"}));
  EXPECT_NE(first, second);
  EXPECT_EQ(peers.find("unix-abstract:" + first)->text(), "alice (EDITOR), ipv4:10.0.0.7:1");
  EXPECT_EQ(peers.find("unix-abstract:" + second)->name, "bob");
  peers.remove(first);
  // A call may still be under way; it has no role any more, and not that of whoever comes next.
  EXPECT_EQ(peers.find("unix-abstract:" + first)->role, kNone);
  EXPECT_NE(peers.add(alice), first);
  EXPECT_EQ(peers.find("unix-abstract:fairlead-tls-0000")->role, kNone);
  EXPECT_EQ(peers.find("unix-abstract:somebody-elses")->role, kAdmin);
  EXPECT_EQ(peers.find("unix:")->text(), "unix:");
  peers.note_user(0);
  EXPECT_EQ(peers.find("unix:")->text(), "unix: uid 0");
  peers.note_user(998);
  peers.note_user(0);
  EXPECT_EQ(peers.find("unix:")->text(), "unix: uid 0 or 998");
  EXPECT_EQ(peers.find("ipv4:127.0.0.1:4")->role, kAdmin);
  EXPECT_EQ(peers.find("something")->role, kNone);
  EXPECT_EQ(peers.find("")->role, kNone);
}

TEST(LogBudgetTest, TenLinesInASecondAndThenTheNumberOfThoseLeftOut) {
  LogBudget budget;
  LogBudget::Clock::time_point now = LogBudget::Clock::now();
  for (int i = 0; i < LogBudget::kLines; ++i) EXPECT_EQ(budget.take(now), 0u);
  for (int i = 0; i < 7; ++i) EXPECT_EQ(budget.take(now), std::nullopt);
  EXPECT_EQ(budget.take(now + std::chrono::seconds(1)), 7u);
  EXPECT_EQ(budget.take(now + std::chrono::seconds(1)), 0u);
}

}  // namespace
}  // namespace fairlead::management
