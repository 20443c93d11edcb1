/* envelope_lag.c - transforms long enough that nothing wraps around.
 *
 * SPDX-License-Identifier: MIT
 */
#include "losses/envelope_lag.h"

#include <math.h>
#include <string.h>

#include "engine/base/mem.h"
#include "engine/dsp/fft.h"

#define TIE 1e-12 /* relative: correlations this close are equal */

/* spectrum becomes that of the envelope of x [n]; scratch [len + 2]. */
static void envelope_spectrum(const Fft *fft, const double *x, int64_t n, double *spectrum, double *scratch, void *work)
{
    int len = fft_len(fft), n_bins = fft_bins(fft);
    double mean = 0;

    for (int64_t i = 0; i < n; i++)
        mean += x[i] / (double)n;
    for (int i = 0; i < len; i++)
        scratch[i] = i < n ? x[i] - mean : 0;
    fft_forward_f64(fft, scratch, spectrum, work);
    for (int b = 0; b < n_bins; b++) { /* times -i: the Hilbert transform */
        double re = spectrum[2 * b];

        spectrum[2 * b] = spectrum[2 * b + 1];
        spectrum[2 * b + 1] = -re;
    }
    fft_inverse_f64(fft, spectrum, spectrum, work);
    for (int i = 0; i < len; i++)
        scratch[i] = i < n ? hypot(x[i] - mean, spectrum[i]) + mean : 0;
    fft_forward_f64(fft, scratch, spectrum, work);
}

static double correlation_at(const double *c, int len, int64_t lag)
{
    return c[lag < 0 ? len + lag : lag];
}

RsdStatus envelope_lag(int64_t *lag, const double *ref, int64_t n_ref, const double *dist, int64_t n_dist,
                       RsdError *err)
{
    Fft *fft = NULL;
    double *a = NULL, *b = NULL, *scratch = NULL, most;
    void *work = NULL;
    size_t size;
    int len = 2;
    RsdStatus status = RSD_OK;

    *lag = 0;
    CHECK(n_ref >= 1 && n_dist >= 1 && n_ref + n_dist <= ENVELOPE_MAX_LEN, err, RSD_ERR_ARG,
          "the envelopes of %lld and %lld samples are too long to be aligned", (long long)n_ref, (long long)n_dist);
    while (len < n_ref + n_dist)
        len *= 2;
    size = (size_t)len + 2;
    TRY(fft_create(&fft, len, FFT_DOUBLE, err));
    TRY(mem_alloc(&a, size, sizeof *a, err));
    TRY(mem_alloc(&b, size, sizeof *b, err));
    TRY(mem_alloc(&scratch, size, sizeof *scratch, err));
    TRY(mem_alloc(&work, fft_work_size(fft), 1, err));
    envelope_spectrum(fft, ref, n_ref, a, scratch, work);
    envelope_spectrum(fft, dist, n_dist, b, scratch, work);
    for (int k = 0; k < fft_bins(fft); k++) { /* ref times the conjugate of dist */
        double re = a[2 * k] * b[2 * k] + a[2 * k + 1] * b[2 * k + 1],
               im = a[2 * k + 1] * b[2 * k] - a[2 * k] * b[2 * k + 1];

        a[2 * k] = re;
        a[2 * k + 1] = im;
    }
    fft_inverse_f64(fft, a, a, work);
    most = a[0];
    for (int64_t d = 1; d < n_ref || d < n_dist; d++)
        for (int sign = -1; sign <= 1; sign += 2)
            if ((sign > 0 ? d < n_ref : d < n_dist) && correlation_at(a, len, sign * d) > most + TIE * fabs(most)) {
                most = correlation_at(a, len, sign * d);
                *lag = sign * d;
            }
fail:
    fft_destroy(&fft);
    mem_free(&a);
    mem_free(&b);
    mem_free(&scratch);
    mem_free(&work);
    return status;
}
