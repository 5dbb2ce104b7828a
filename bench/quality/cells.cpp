// The cells of the evaluation without a model. bench/quality/run.sh drives it.
//
//   quality_cells [--quick] > cells.json
#include "bench/quality/cells.h"

#include <chrono>
#include <iostream>
#include <string>

int main(int argc, char** argv) {
  using namespace switchyard::evaluation;
  const CellOptions options{.quick = argc > 1 && std::string(argv[1]) == "--quick"};
  nlohmann::json out;

  const struct {
    const char* name;
    nlohmann::json (*run)(const CellOptions&);
  } parts[] = {{"delays", delay_cells},          {"shipped", shipped_cells}, {"nulls", null_cells},
               {"comparison", comparison_cells}, {"outlier", outlier_cells}, {"sessions", session_cells},
               {"border", border_cells}};

  for (const auto& [name, run] : parts) {
    const auto start = std::chrono::steady_clock::now();
    out[name] = run(options);
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    std::cerr << name << ": " << seconds.count() << " s\n";
  }
  std::cout << out.dump(1) << '\n';
}
