#include "gateway/commands.h"
#include "gateway/serve.h"

#include <CLI/CLI.hpp>

#include <cstdio>

// Exit codes: 0 done, 1 the input is wrong, 2 the command line is wrong, 70 a bug.
int main(int argc, char** argv) {
  CLI::App app{"Switchyard: one address for every LLM provider, and a model of its own"};
  app.name("switchyard");
  app.require_subcommand(1);
  std::string config;

  auto* serve = app.add_subcommand("serve", "run the gateway (no --config: the embedded default)");
  serve->add_option("-c,--config", config, "the YAML file");
  auto* check = app.add_subcommand("check", "validate a configuration; prints FILE:LINE:COLUMN: message");
  check->add_option("-c,--config", config, "the YAML file")->required();
  switchyard::ExplainOptions explained;
  auto* explain = app.add_subcommand("explain", "print where a request would go, or went, and why");
  explain->add_option("-c,--config", explained.config, "the YAML file");
  explain->add_option("--request", explained.request, "a request's body");
  explain->add_option("--scores", explained.scores, "what GET /admin/providers gave");
  explain->add_option("--key", explained.key, "the caller's name among `keys`");
  auto* request_id = explain->add_option("--request-id", explained.request_id, "of a recorded request");
  auto* ledger = explain->add_option("--ledger", explained.ledger, "the database that recorded it");
  request_id->needs(ledger);
  ledger->needs(request_id);
  switchyard::SimulateOptions simulated;
  auto* simulate = app.add_subcommand("simulate", "print what routing would have done");
  simulate->add_option("-c,--config", simulated.config, "the YAML file")->required();
  simulate->add_option("--traffic", simulated.traffic, "recorded decisions, or synthetic traffic")
      ->required();
  simulate->add_option("--against", simulated.against, "another YAML file, for recorded decisions");
  simulate->add_option("--series", simulated.series, "a file for shares and states over time");
  simulate->add_option("--every", simulated.every_s, "seconds between two of its points");
  simulate->add_option("--decisions", simulated.decisions, "a file for the decisions of synthetic traffic");
  simulate->add_option("--moves", simulated.moves, "a file for the requests that move");
  simulate->add_option("--seed", simulated.seed, "in place of the traffic's");
  auto* version = app.add_subcommand("version", "print the version");

  try {
    app.parse(argc, argv);
    if (explain->parsed() && request_id->count() == 0 &&
        (explained.config.empty() || explained.request.empty()))
      throw CLI::RequiredError("--config and --request, or --request-id and --ledger");
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  try {
    if (serve->parsed()) return switchyard::serve(config);
    if (check->parsed()) return switchyard::check(config);
    if (explain->parsed()) return switchyard::explain(explained);
    if (simulate->parsed()) return switchyard::simulate(simulated);
    if (version->parsed()) std::puts("switchyard " SWITCHYARD_VERSION);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "switchyard: bug: %s\n", error.what());
    return 70;
  }
}
