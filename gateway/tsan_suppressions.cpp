// Part of the thread-sanitizer build only. Debian's libspdlog is not instrumented, so the sanitizer does not
// see how its thread hands its last reference back, and takes the logger's end for a race.
extern "C" const char* __tsan_default_suppressions();  // NOLINT(bugprone-reserved-identifier)

const char* __tsan_default_suppressions() {
  return "race:spdlog::\n";
}
