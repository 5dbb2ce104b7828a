// The assembler puts the file's bytes into the read-only data: no copy at run time, shared between processes.
#include "local_backend/engine/engine.h"

__asm__(
    ".pushsection .rodata\n"
    ".balign 64\n"
    "switchyard_bundled_model_begin:\n"
    ".incbin \"" SWITCHYARD_BUNDLED_MODEL
    "\"\n"
    "switchyard_bundled_model_end:\n"
    ".byte 0\n"
    ".popsection\n");

extern "C" const std::byte switchyard_bundled_model_begin[], switchyard_bundled_model_end[];

namespace switchyard::local {

std::span<const std::byte> bundled_model() {
  return {switchyard_bundled_model_begin, switchyard_bundled_model_end};
}

}  // namespace switchyard::local
