// The part of Endpoints that takes what callers say of an answer.
#include "adapters/canonical/json_text.h"
#include "gateway/relay/endpoints.h"
#include "gateway/relay/feedback_desk.h"

namespace switchyard::relay {

namespace {

Error no_such_request() {
  Error error(ErrorKind::not_found,
              "no request of this key with that id can be judged: it is not known, is too long ago, was not "
              "answered, or its model takes no feedback",
              "request_id");
  error.code = "request_not_found";
  return error;
}

std::int64_t now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now().time_since_epoch()).count();
}

std::string written(std::string_view request_id, scoring::FeedbackGate::Ruling ruling) {
  const bool counts = ruling == scoring::FeedbackGate::Ruling::counts;
  std::string body = R"({"object":"feedback","request_id":)";
  append_json_string(request_id, body);
  body += counts ? R"(,"counted":true})" : R"(,"counted":false,"reason":")";
  if (!counts) body += std::string(name_of(ruling)) + "\"}";
  return body;
}

}  // namespace

// The judgement counts for the target that answered, when it comes, whatever serves the model by then.
io::Task<void> Endpoints::feedback(http::Exchange& exchange, const Caller& caller) {
  const auto snapshot = context_.snapshot;
  const auto read = scoring::read_feedback(exchange.request().body());
  if (!read) co_return co_await refuse(exchange, caller, read.error());
  const std::uint32_t key =
      caller.key ? static_cast<std::uint32_t>(snapshot->keys.index_of(*caller.key)) + 1 : 0;
  FeedbackDesk& desk = *snapshot->inheritance.feedback;
  const auto served = desk.find(read->request_id);
  if (!served || served->key != key) co_return co_await refuse(exchange, caller, no_such_request());
  const auto ruling = desk.rule(read->request_id, *served, now_ms());
  if (ruling == scoring::FeedbackGate::Ruling::counts && context_.observations) {
    scoring::Observation said;
    said.target = served->target;
    said.source = scoring::Source::feedback;
    said.ending = scoring::Ending::no_verdict;
    said.stratum = served->stratum;
    said.at_ms = now_ms();
    said.session = served->session;
    said.key = key;
    said.graded = true;
    said.graded_signal = scoring::Signal::feedback;
    said.x = scoring::x_of(read->score);
    context_.observations->push(said);
  }
  co_await exchange.reply(200, "application/json", id_fields(*caller.dialect, caller.request_id),
                          written(read->request_id, ruling));
}

}  // namespace switchyard::relay
