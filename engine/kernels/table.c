/* table.c - which set of kernels this machine runs.
 *
 * Sets are listed from best to plainest; the first whose instructions the processor has is picked, unless RESIDUA_CPU names
 * another. A set may borrow groups it has no faster version of.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "engine/kernels/conv.h"
#include "engine/kernels/depthwise.h"
#include "engine/kernels/gemm.h"
#include "engine/kernels/integer.h"
#include "engine/kernels/kernels.h"
#include "engine/kernels/latent.h"
#include "engine/kernels/picture.h"
#include "engine/kernels/plane.h"
#include "engine/kernels/point.h"
#include "engine/kernels/rans.h"
#include "engine/kernels/search.h"
#include "engine/kernels/spectrum.h"

static const Kernels sets[] = {
#if defined(__x86_64__)
    {"avx512", &gemm_avx512, &conv_avx512, &point_avx2, &search_avx512, &spectrum_avx512, &plane_avx2,
     &picture_avx2, &rans_avx512, &integer_avx512, &latent_avx512, &depthwise_avx512},
    {"avx2", &gemm_avx2, &conv_avx2, &point_avx2, &search_avx2, &spectrum_avx2, &plane_avx2,
     &picture_avx2, &rans_avx2, &integer_avx2, &latent_avx2, &depthwise_avx2},
#endif
    {"ref", &gemm_ref, &conv_ref, &point_ref, &search_ref, &spectrum_ref, &plane_ref, &picture_ref, &rans_ref,
     &integer_ref, &latent_ref, &depthwise_ref},
};

#define N_SETS (sizeof sets / sizeof sets[0])

static bool machine_has(const char *name)
{
    if (strcmp(name, "ref") == 0)
        return true;
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (strcmp(name, "avx2") == 0)
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (strcmp(name, "avx512") == 0)
        return machine_has("avx2") && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
#endif
    return false;
}

const Kernels *kernels_named(const char *name)
{
    for (size_t i = 0; i < N_SETS; i++)
        if (strcmp(sets[i].name, name) == 0)
            return machine_has(name) ? &sets[i] : NULL;
    return NULL;
}

static const Kernels *picked;

static void pick(void)
{
    const char *wish = getenv("RESIDUA_CPU");

    picked = wish ? kernels_named(wish) : NULL;
    for (size_t i = 0; i < N_SETS && !picked; i++)
        picked = kernels_named(sets[i].name);
}

const Kernels *kernels_pick(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, pick);
    return picked;
}
