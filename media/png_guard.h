/* png_guard.h - what readers and writers of PNG share: libpng reports errors by a long jump, which lands in png_run_guarded. It calls
 * everything else, so that no function has variables that a jump could leave undefined.
 *
 * Only where libpng is.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_PNG_GUARD_H
#define RESIDUA_PNG_GUARD_H

#include <png.h>
#include <setjmp.h>

#include "engine/base/error.h"

#define PNG_XMP_KEYWORD "XML:com.adobe.xmp"
#define PNG_CICP_SIZE 4

/* The first member of what reads or writes, which is also libpng's error pointer. */
typedef struct PngGuard {
    png_structp png;
    png_infop info;
    RsdStatus status;
    RsdError *err;
    jmp_buf back;
} PngGuard;

/* Calls work, and returns what it or something below it gave up with. */
RsdStatus png_run_guarded(PngGuard *guard, void (*work)(PngGuard *guard));
/* From inside: ends work with a status whose sentence is set; png_must only where it is an error. */
_Noreturn void png_give_up(PngGuard *guard, RsdStatus status);
void png_must(PngGuard *guard, RsdStatus status);

#endif
