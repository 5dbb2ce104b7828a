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
  auto* version = app.add_subcommand("version", "print the version");

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  try {
    if (serve->parsed()) return switchyard::serve(config);
    if (check->parsed()) return switchyard::check(config);
    if (version->parsed()) std::puts("switchyard " SWITCHYARD_VERSION);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "switchyard: bug: %s\n", error.what());
    return 70;
  }
}
