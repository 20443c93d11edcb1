/* demand.h - what must hold for any input: a fuzzer takes the end of the program for a finding.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_FUZZ_DEMAND_H
#define RESIDUA_FUZZ_DEMAND_H

#include <stdlib.h>

static inline void demand(int condition)
{
    if (!condition)
        abort();
}

#endif
