#pragma once

#include "gateway/routing/health.h"
#include "gateway/routing/load.h"
#include "gateway/scoring/board.h"
#include "gateway/simulator/provider_sim.h"
#include "gateway/simulator/simulation.h"

#include <memory>

namespace switchyard::simulator {

// Virtual time begins here, so that no time is the clock's zero.
inline constexpr double kBegin_s = 1000;

inline TimePoint time_of(double virtual_s) {
  return TimePoint(std::chrono::nanoseconds(static_cast<std::int64_t>((kBegin_s + virtual_s) * 1e9)));
}

// The targets of the simulated model: how they behave, and what the gateway knows of each. Keeps the account.
class Fleet {
 public:
  static Result<std::unique_ptr<Fleet>> make(const config::Config& config, const Lookup& lookup,
                                             const config::Model& model, const World& world,
                                             const Options& options);

  std::size_t size() const { return targets_.size(); }

  Summary& summary() { return summary_; }

  ProviderSim& provider(std::size_t target) { return members_[target]->provider; }

  // The parts of the requests that the targets get as things are; 0 for all but the tier that serves.
  const std::vector<double>& shares() const { return shares_; }

  // For people.
  static std::int64_t wall_ms(double virtual_s);

  std::uint64_t scores_version() const { return view_->version; }

  // The candidates of a request; its facts, time and seed are set.
  void fill(routing::PlanInput& input) const;
  // False: its health or its load refuses the attempt.
  bool start(std::size_t target, const SimRequest& request, TimePoint now);
  void first_token(std::size_t target, const SimReply& reply, TimePoint now);
  void end(std::size_t target, const Error* error, TimePoint now);
  void observe(std::size_t target, const SimReply& reply, double now_s);

  // Changes that are due, probes, the board, and what follows from its view.
  void tick(double now_s, double elapsed_s);
  // A first look, before any tick.
  void look(double now_s);
  void finish(double now_s);

 private:
  struct Member {
    Member(const Traffic& traffic, const Behaviour& usual, std::size_t index)
        : usual(usual), provider(traffic, usual, index) {}

    Behaviour usual;
    ProviderSim provider;
    routing::SharedHealth health;
    routing::SharedLoad load;
    scoring::State state = scoring::State::serving;
    std::uint64_t sent_at_point = 0;  // Attempts at the last point.
    int incident = -1;                // Index of the latest one.
    bool is_changed = false;          // Behaves otherwise than usual.
    // When an incident began: its own requests, all requests, its share.
    std::uint64_t own_then = 0, all_then = 0;
    double share_then = 0;
  };

  Fleet(const config::Config& config, const config::Model& model, const World& world, const Options& options);

  void apply_changes(double now_s);
  void begin_incident(std::size_t target, double now_s);
  void send_probes(double now_s, double elapsed_s);
  void watch(double now_s);
  void note_state(std::size_t target, scoring::State state, const std::string& why, double now_s);
  void check_last(const scoring::BoardView& view);
  void tell_point(double now_s);

  const config::Config& config_;
  const config::Model& model_;
  const World& world_;
  const Options& options_;
  std::vector<SimTarget> targets_;
  std::vector<std::unique_ptr<Member>> members_;
  scoring::Board board_;
  scoring::BoardViewPtr view_;
  Random random_;
  std::size_t next_change_ = 0;
  std::int64_t day_ = 0;
  double next_point_s_ = 0;
  std::vector<double> shares_;
  Summary summary_;
};

}  // namespace switchyard::simulator
