#include "gateway/scoring/board.h"

#include "gateway/scoring/core.h"

#include <utility>

namespace switchyard::scoring {

struct Board::State_ {
  Core core;
};

Board::Board() : state_(std::make_unique<State_>()) {}

Board::~Board() = default;

void Board::configure(const config::Quality& settings, std::vector<TargetInfo> targets, std::int64_t now_ms) {
  state_->core.configure(settings, std::move(targets), now_ms);
}

void Board::observe(const Observation& observation) {
  state_->core.observe(observation);
}

void Board::tick(std::int64_t now_ms, std::int64_t wall_ms) {
  state_->core.tick(now_ms, wall_ms);
}

void Board::drain(std::uint32_t target, std::int64_t now_ms) {
  state_->core.drain(target, now_ms);
}

void Board::restore(std::uint32_t target, std::int64_t now_ms) {
  state_->core.restore(target, now_ms);
}

BoardViewPtr Board::view() const {
  return state_->core.view();
}

std::vector<Notice> Board::take_notices() {
  return std::exchange(state_->core.notices_, {});
}

bool Board::wants_burst(std::uint32_t target) const {
  return state_->core.wants_burst(target);
}

std::string Board::save() const {
  return state_->core.save();
}

Result<> Board::load(std::string_view text) {
  return state_->core.load(text);
}

}  // namespace switchyard::scoring
