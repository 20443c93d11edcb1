/* block_fft.c - made in double; those in float are rounded.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/dsp/block_fft.h"

#include <math.h>

#include "engine/base/mem.h"

bool block_fft_possible(int n)
{
    return (n & (n - 1)) == 0 && n >= SPECTRUM_MIN_FFT && n <= SPECTRUM_MAX_FFT;
}

static size_t n_stage_numbers(int m)
{
    size_t n = 0;

    for (int l = m; l >= 4; l /= 4)
        n += (size_t)l / 4 * 6;
    return n;
}

static size_t n_turn_numbers(int m)
{
    return (size_t)m + 2;
}

RsdStatus block_fft_f64_init(BlockFftF64 *fft, int n, RsdError *err)
{
    const int m = n / 2;
    size_t at = 0;
    RsdStatus status = RSD_OK;

    *fft = (BlockFftF64){.n = n};
    TRY(mem_calloc(&fft->stages, n_stage_numbers(m), sizeof *fft->stages, err));
    TRY(mem_calloc(&fft->turns, n_turn_numbers(m), sizeof *fft->turns, err));
    for (int l = m; l >= 4; l /= 4)
        for (int p = 0; p < l / 4; p++)
            for (int j = 1; j <= 3; j++) {
                const double angle = 2.0 * M_PI * p * j / l;

                fft->stages[at++] = cos(angle);
                fft->stages[at++] = -sin(angle);
            }
    for (int k = 0; k <= m / 2; k++) {
        fft->turns[2 * k] = cos(2.0 * M_PI * k / n);
        fft->turns[2 * k + 1] = -sin(2.0 * M_PI * k / n);
    }
    return RSD_OK;
fail:
    block_fft_f64_clear(fft);
    return status;
}

void block_fft_f64_clear(BlockFftF64 *fft)
{
    mem_free(&fft->stages);
    mem_free(&fft->turns);
}

static RsdStatus rounded(float **out, const double *x, size_t n, RsdError *err)
{
    RsdStatus status = mem_calloc(out, n, sizeof **out, err);

    for (size_t i = 0; status == RSD_OK && i < n; i++)
        (*out)[i] = (float)x[i];
    return status;
}

RsdStatus block_fft_init(BlockFft *fft, int n, RsdError *err)
{
    BlockFftF64 precise;
    RsdStatus status = RSD_OK;

    *fft = (BlockFft){.n = n};
    TRY(block_fft_f64_init(&precise, n, err));
    TRY(rounded(&fft->stages, precise.stages, n_stage_numbers(n / 2), err));
    TRY(rounded(&fft->turns, precise.turns, n_turn_numbers(n / 2), err));
fail:
    block_fft_f64_clear(&precise);
    if (status != RSD_OK)
        block_fft_clear(fft);
    return status;
}

void block_fft_clear(BlockFft *fft)
{
    mem_free(&fft->stages);
    mem_free(&fft->turns);
}
