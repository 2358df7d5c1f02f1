// A store over a fake reading half, spoken to in text-format messages.
#pragma once

#include <future>
#include <memory>
#include <string>

#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"
#include "store/store.h"
#include "test_support/fake_reading_half.h"

namespace fairlead::store {

inline v1::Transaction transaction_of(const std::string& text) {
  v1::Transaction transaction;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &transaction)) << text;
  return transaction;
}

class StoreFixture : public testing::Test {
 protected:
  std::future<Result> post(Transaction transaction, ApplyOptions options = {}) {
    auto promise = std::make_shared<std::promise<Result>>();
    store_.apply(std::move(transaction), options, [promise](Result result) { promise->set_value(std::move(result)); });
    return promise->get_future();
  }
  Transaction made(const v1::Transaction& message, uint64_t session = 0) {
    return make_transaction(message, store_.limits(), std::make_shared<const Origin>("test", "here", session));
  }
  std::future<Result> post(const v1::Transaction& message, ApplyOptions options = {}, uint64_t session = 0) {
    return post(made(message, session), options);
  }
  std::future<Result> post(const std::string& text, ApplyOptions options = {}) {
    return post(transaction_of(text), options);
  }
  Result apply(const v1::Transaction& message) { return post(message).get(); }
  Result apply(const std::string& text) { return apply(transaction_of(text)); }
  // Expects that it holds.
  Result must(const std::string& text) {
    Result result = apply(text);
    EXPECT_FALSE(result.refused()) << text << "\n" << reason_of(result);
    return result;
  }
  static std::string reason_of(const Result& result) {
    return result.failures.empty() ? "" : result.failures.front().failure.text();
  }

  template <typename F>
  auto read(F look) {
    std::promise<decltype(look(std::declval<Reader&>()))> promise;
    EXPECT_EQ(store_.read([&](Reader& reader) { promise.set_value(look(reader)); }), Store::Posted::kYes);
    return promise.get_future().get();
  }
  std::optional<ServerView> server(const std::string& backend, const std::string& name) {
    return read([&](Reader& reader) { return reader.find_server(backend, name); });
  }
  // In how many classes' worth the backend may be picked from.
  uint64_t eligible(const std::string& backend) {
    auto handle = read([&](Reader& reader) {
      auto record = reader.find_backend(backend)->record;
      return config::BackendHandle{record->slot, record->metadata.uid};
    });
    return half_.snapshot()->find(handle)->eligible.size();
  }

  test_support::FakeReadingHalf half_;
  Store store_{half_};
};

inline constexpr const char* kWeb = R"(operations { create { backend { name: "web" } } })";
inline constexpr const char* kWebS1 =
    R"(operations { create { server { backend: "web" name: "s1" address: "10.0.0.1:80" } } })";

}  // namespace fairlead::store
