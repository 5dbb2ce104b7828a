# One static library a folder. The link graph is the dependency rule (docs/architecture.md): a PURE module
# that reaches for an IO one fails when CMake configures, and a PURE module never sees the include path or
# the libraries of sockets, event loops and TLS.
#
#   switchyard_module(<name> PURE|IO SOURCES a.cpp ... DEPENDS other_module ... LIBRARIES external::lib ...)
#
# LIBRARIES are linked publicly; a PURE module may not name one of SWITCHYARD_IO_LIBRARIES.
set(switchyard_only_if_needed "")
if(SWITCHYARD_FUZZ)
  set(switchyard_only_if_needed EXCLUDE_FROM_ALL)
endif()
set(SWITCHYARD_IO_LIBRARIES OpenSSL::SSL OpenSSL::Crypto Threads::Threads switchyard_asio)

function(switchyard_module name)
  cmake_parse_arguments(M "PURE;IO" "" "SOURCES;DEPENDS;LIBRARIES" ${ARGN})
  # Instrumented for fuzzing, only what a fuzz target needs is built.
  add_library(${name} STATIC ${switchyard_only_if_needed} ${M_SOURCES})
  target_include_directories(${name} PUBLIC ${PROJECT_SOURCE_DIR})
  target_link_libraries(${name} PUBLIC switchyard_flags ${M_DEPENDS} ${M_LIBRARIES})
  set_target_properties(${name} PROPERTIES SWITCHYARD_IS_IO "${M_IO}")
  if(SWITCHYARD_SANITIZE AND name MATCHES "^(config|providers)$")
    target_compile_options(${name} PRIVATE -O0)  # Half of the compiler's time, for what is on no hot path.
  endif()
  if(M_PURE)
    foreach(library IN LISTS M_LIBRARIES)
      if(library IN_LIST SWITCHYARD_IO_LIBRARIES)
        message(FATAL_ERROR "${name} is PURE and must not link ${library}")
      endif()
    endforeach()
    foreach(dependency IN LISTS M_DEPENDS)
      get_target_property(dependency_is_io ${dependency} SWITCHYARD_IS_IO)
      if(dependency_is_io)
        message(FATAL_ERROR "${name} is PURE and must not depend on ${dependency}")
      endif()
    endforeach()
  endif()
endfunction()

# Precompiles headers for a target: switchyard_precompile(<target> header ...).
function(switchyard_precompile target)
  target_precompile_headers(${target} PRIVATE ${ARGN})
  if(CMAKE_CXX_COMPILER_ID MATCHES Clang)
    # Else no two builds of it are alike, and ccache keeps nothing that uses it.
    target_compile_options(${target} PRIVATE "SHELL:-Xclang -fno-pch-timestamp")
  endif()
endfunction()

# A GoogleTest program that mirrors one folder: switchyard_test(<name> SOURCES ... DEPENDS module ...).
function(switchyard_test name)
  cmake_parse_arguments(T "" "" "SOURCES;DEPENDS" ${ARGN})
  if(NOT SWITCHYARD_TESTS)
    return()
  endif()
  add_executable(${name} ${T_SOURCES})
  target_link_libraries(${name} PRIVATE ${T_DEPENDS} GTest::gmock_main)
  target_compile_definitions(${name} PRIVATE SWITCHYARD_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  # A test's own code compiles in a third of the time and runs hardly longer: what it tests is optimized as ever.
  target_compile_options(${name} PRIVATE -O0)
  target_precompile_headers(${name} REUSE_FROM switchyard_test_pch)
  if(SWITCHYARD_LTO)
    # Without inlining across files, what one test program has optimized is there for the others.
    target_link_options(${name} PRIVATE -Wl,-mllvm,-import-instr-limit=0)
  endif()
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES TIMEOUT 300)
endfunction()

# A libFuzzer program; without the fuzz preset the same file is built with a driver that replays its corpus,
# so that every past finding stays a regression test: switchyard_fuzz(<name> SOURCE file.cpp DEPENDS module ...).
function(switchyard_fuzz name)
  cmake_parse_arguments(F "" "SOURCE;CORPUS" "DEPENDS" ${ARGN})
  if(NOT SWITCHYARD_TESTS)
    return()
  endif()
  add_executable(${name} ${F_SOURCE})
  target_link_libraries(${name} PRIVATE ${F_DEPENDS})
  if(SWITCHYARD_FUZZ)
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
    add_test(NAME ${name} COMMAND ${name} -max_total_time=$ENV{SWITCHYARD_FUZZ_SECONDS} -rss_limit_mb=2048
             -timeout=10 ${CMAKE_CURRENT_BINARY_DIR}/${name}_corpus ${F_CORPUS})
    file(MAKE_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/${name}_corpus)
  else()
    target_sources(${name} PRIVATE ${PROJECT_SOURCE_DIR}/tests/fuzz/replay_main.cpp)
    add_test(NAME ${name} COMMAND ${name} ${F_CORPUS})
  endif()
endfunction()
