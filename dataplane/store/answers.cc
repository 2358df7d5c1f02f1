#include "store/answers.h"

#include "config/text.h"
#include "config/validate.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "store/digest.h"

namespace fairlead::store {

std::string fingerprint_of(const v1::Transaction& message) {
  std::string bytes;
  google::protobuf::io::StringOutputStream stream(&bytes);
  google::protobuf::io::CodedOutputStream out(&stream);
  // Maps in the order of their keys.
  out.SetSerializationDeterministic(true);
  message.SerializeToCodedStream(&out);
  out.Trim();
  // Of no resource's kind.
  Digest digest;
  digest.add(Digest::hash(Digest::Kind{}, bytes));
  return digest.bytes();
}

Result reused_id(const Transaction& transaction, config::Version version) {
  return refused(transaction.id, version,
                 {v1::REASON_REQUEST_ID_REUSED, config::concat("transaction ", transaction.id), "id",
                  config::concat("was used by ", config::quoted(transaction.origin->actor),
                                 " for a transaction with other content; choose a new one")});
}

std::optional<Result> Answers::find(const Transaction& transaction) const {
  auto known = known_.find(Key(transaction.origin->actor, transaction.id));
  if (known == known_.end()) return std::nullopt;
  if (known->second.fingerprint == transaction.fingerprint) return known->second.result;
  return reused_id(transaction, known->second.result.version);
}

void Answers::note(const Transaction& transaction, const Result& result) {
  if (result.refused() || transaction.validate_only) return;
  Known known{transaction.fingerprint, result};
  known.result.touched = {};
  noted_.emplace_back(Key(transaction.origin->actor, transaction.id), std::move(known));
}

void Answers::keep_noted() {
  for (auto& [key, known] : noted_) {
    if (!known_.insert_or_assign(key, std::move(known)).second) continue;
    order_.push_back(key);
    if (order_.size() <= kKeptMax) continue;
    known_.erase(order_.front());
    order_.pop_front();
  }
  noted_.clear();
}

}  // namespace fairlead::store
