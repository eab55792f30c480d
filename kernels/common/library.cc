// What a kernel library says about itself, in plain C, before any of its handlers is registered.
#include "ffi_util.h"

#ifndef EMOJAX_BUILD_KEY
#error "EMOJAX_BUILD_KEY names sources, compiler flags and jaxlib: emojax/native_build.py passes it"
#endif

#define EMOJAX_EXPORT extern "C" __attribute__((visibility("default")))

// Sources, flags and the jaxlib whose headers this library was built against.
EMOJAX_EXPORT const char* emojax_build_key() { return EMOJAX_BUILD_KEY; }

// Threads of one loop from now on; 0: all.
EMOJAX_EXPORT void emojax_set_thread_limit(int limit) { emojax::ThreadLimit().store(limit); }
