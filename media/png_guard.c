/* png_guard.c - the place where libpng's long jumps land.
 *
 * SPDX-License-Identifier: MIT
 */
#include "config.h"

#if RESIDUA_HAVE_PNG

#include "media/png_guard.h"

RsdStatus png_run_guarded(PngGuard *guard, void (*work)(PngGuard *guard))
{
    guard->status = RSD_OK;
    if (setjmp(guard->back) == 0)
        work(guard);
    return guard->status;
}

void png_give_up(PngGuard *guard, RsdStatus status)
{
    guard->status = status;
    longjmp(guard->back, 1);
}

void png_must(PngGuard *guard, RsdStatus status)
{
    if (status != RSD_OK)
        png_give_up(guard, status);
}

#endif
