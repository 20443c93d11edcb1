/* fft.c - the one door to libavutil's transforms.
 *
 * What libavutil 57 needs to be told, found by comparing every length up to 3000 with the sum that defines it:
 *  - its real transforms are right for multiples of 4 only, so other lengths go through the complex transform;
 *  - transforms that are not a power of two keep temporaries in their context. Such a plan has several contexts and a
 *    call borrows a free one, so that threads can share the plan;
 *  - it has no fast transform of a power of two above 2^17 complex samples and takes the sum that defines it instead, which
 *    never ends: real powers of two from 2^19 on go to engine/dsp/fft_long.c, and 3, 5 and 15 times them to engine/dsp/fft_chirp.c;
 *  - nor has it one of lengths other than 2^k times 1, 3, 5 or 15; it then takes a sine and a cosine for every product. From
 *    SHORTEST_CHIRP on these go to engine/dsp/fft_chirp.c, too;
 *  - the imaginary part of the middle bin is not always written;
 *  - input and output must be aligned, and inverse real transforms overwrite their input: both pass through
 *    work memory.
 *
 *   work:  | input, n + 2 or 2n numbers | output, the same |          each part starts on MEM_ALIGN
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/dsp/fft.h"

#include <assert.h>
#include <libavutil/macros.h>
#include <libavutil/tx.h>
#include <libavutil/version.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#include "engine/base/library.h"
#include "engine/base/mem.h"
#include "engine/dsp/fft_chirp.h"
#include "engine/dsp/fft_long.h"

/* Loaded with the first plan: libavutil brings fifteen libraries of video hardware along. */
#define TX_FUNCTIONS(X) X(av_tx_init) X(av_tx_uninit)
static LibraryTable(TX_FUNCTIONS) libavutil;
static const char *const tx_names[] = {LibraryNames(TX_FUNCTIONS)};
static Library tx_library = {"libavutil.so." AV_STRINGIFY(LIBAVUTIL_VERSION_MAJOR), "libavutil57", tx_names, &libavutil,
                             sizeof libavutil, false};

#define N_CONTEXTS 4 /* of a plan that needs more than one: calls of more threads at the same moment wait */

#define LARGEST_POWER (1 << 18) /* of two, in the length of a real transform */
#define SHORTEST_CHIRP 16

/* One direction of a plan. */
typedef struct Direction {
    AVTXContext *contexts[N_CONTEXTS];
    _Atomic bool busy[N_CONTEXTS];
    av_tx_fn run[N_CONTEXTS];
} Direction;

struct Fft {
    int n;
    FftPrecision precision;
    FftLong *longer; /* long powers of two: all else is unused */
    FftChirp *chirp; /* lengths without a fast transform: the same */
    bool real; /* libavutil's real transform, else its complex one */
    int n_contexts;
    size_t part_size; /* bytes of one half of the work memory */
    Direction forward, inverse;
};

static size_t number_size(const Fft *fft)
{
    return fft->precision == FFT_FLOAT ? sizeof(float) : sizeof(double);
}

static RsdStatus open_direction(Fft *fft, Direction *direction, bool inverse, RsdError *err)
{
    static const enum AVTXType types[2][2] = {{AV_TX_FLOAT_FFT, AV_TX_FLOAT_RDFT},
                                              {AV_TX_DOUBLE_FFT, AV_TX_DOUBLE_RDFT}};
    double scale_f64 = inverse ? 1.0 / fft->n : 1.0;
    float scale_f32 = (float)scale_f64;
    const void *scale = fft->precision == FFT_FLOAT ? (const void *)&scale_f32 : (const void *)&scale_f64;

    for (int i = 0; i < fft->n_contexts; i++)
        if (libavutil.av_tx_init(&direction->contexts[i], &direction->run[i], types[fft->precision == FFT_DOUBLE][fft->real],
                       inverse, fft->n, scale, 0) < 0)
            return error_set(err, RSD_ERR_MEMORY, "no memory for a Fourier transform of %d samples", fft->n);
    return RSD_OK;
}

static bool is_fast(int n)
{
    const int power = n & -n, odd = n / power;

    return power <= LARGEST_POWER && (odd == 1 || odd == 3 || odd == 5 || odd == 15);
}

RsdStatus fft_create(Fft **out, int n, FftPrecision precision, RsdError *err)
{
    Fft *fft = NULL;
    size_t part;
    RsdStatus status = RSD_OK;

    *out = NULL;
    CHECK(n >= 1 && n <= FFT_MAX_LEN, err, RSD_ERR_ARG, "a Fourier transform of %d samples; 1 to %d are possible", n,
          FFT_MAX_LEN);
    TRY(library_need(&tx_library, err));
    TRY(mem_calloc(&fft, 1, sizeof *fft, err));
    fft->n = n;
    fft->precision = precision;
    if (n > LARGEST_POWER && (n & (n - 1)) == 0) {
        TRY(fft_long_create(&fft->longer, n, err));
        *out = fft;
        return RSD_OK;
    }
    if (n >= SHORTEST_CHIRP && n <= FFT_CHIRP_MAX_LEN && !is_fast(n)) {
        TRY(fft_chirp_create(&fft->chirp, n, err));
        *out = fft;
        return RSD_OK;
    }
    fft->real = n % 4 == 0;
    fft->n_contexts = (n & (n - 1)) == 0 ? 1 : N_CONTEXTS;
    part = (fft->real ? (size_t)n + 2 : 2 * (size_t)n) * number_size(fft);
    fft->part_size = (part + MEM_ALIGN - 1) / MEM_ALIGN * MEM_ALIGN;
    TRY(open_direction(fft, &fft->forward, false, err));
    TRY(open_direction(fft, &fft->inverse, true, err));
    *out = fft;
    return RSD_OK;
fail:
    fft_destroy(&fft);
    return status;
}

void fft_destroy(Fft **fft)
{
    if (!*fft)
        return;
    fft_long_destroy(&(*fft)->longer);
    fft_chirp_destroy(&(*fft)->chirp);
    for (int i = 0; i < N_CONTEXTS; i++) {
        libavutil.av_tx_uninit(&(*fft)->forward.contexts[i]);
        libavutil.av_tx_uninit(&(*fft)->inverse.contexts[i]);
    }
    mem_free(fft);
}

int fft_len(const Fft *fft)
{
    return fft->n;
}

int fft_bins(const Fft *fft)
{
    return fft->n / 2 + 1;
}

size_t fft_work_size(const Fft *fft)
{
    return fft->longer  ? fft_long_work_size(fft->longer)
           : fft->chirp ? fft_chirp_work_size(fft->chirp)
                        : 2 * fft->part_size;
}

/* Runs one transform between the two halves of the work memory. */
static void run(const Fft *fft, const Direction *shared, void *work)
{
    Direction *direction = (Direction *)shared; /* contexts are a shared resource of a plan that is const to callers */
    void *input = work, *output = (char *)work + fft->part_size;
    ptrdiff_t stride = (ptrdiff_t)number_size(fft) * (fft->real ? 1 : 2);

    if (fft->n_contexts == 1) {
        direction->run[0](direction->contexts[0], output, input, stride);
        return;
    }
    for (int i = 0;; i = (i + 1) % N_CONTEXTS) {
        if (!atomic_exchange_explicit(&direction->busy[i], true, memory_order_acquire)) {
            direction->run[i](direction->contexts[i], output, input, stride);
            atomic_store_explicit(&direction->busy[i], false, memory_order_release);
            return;
        }
        if (i == N_CONTEXTS - 1)
            sched_yield();
    }
}

/* The copies between a caller's arrays and work memory, for float and double alike. */
#define DEFINE_TRANSFORMS(Number, suffix, expected)                                                                    \
    void fft_forward##suffix(const Fft *fft, const Number *x, Number *spectrum, void *work)                            \
    {                                                                                                                  \
        Number *input = work;                                                                                          \
        const Number *output = (const Number *)((const char *)work + fft->part_size);                                  \
        size_t n = (size_t)fft->n;                                                                                     \
                                                                                                                       \
        assert(fft->precision == (expected) && (size_t)work % MEM_ALIGN == 0);                                         \
        if (fft->longer) {                                                                                             \
            fft_long_forward##suffix(fft->longer, x, spectrum, work);                                                  \
            return;                                                                                                    \
        }                                                                                                              \
        if (fft->chirp) {                                                                                              \
            fft_chirp_forward##suffix(fft->chirp, x, spectrum, work);                                                  \
            return;                                                                                                    \
        }                                                                                                              \
        if (fft->real) {                                                                                               \
            memcpy(input, x, n * sizeof *x);                                                                           \
        } else {                                                                                                       \
            for (size_t i = 0; i < n; i++) {                                                                           \
                input[2 * i] = x[i];                                                                                   \
                input[2 * i + 1] = 0;                                                                                  \
            }                                                                                                          \
        }                                                                                                              \
        run(fft, &fft->forward, work);                                                                                 \
        memcpy(spectrum, output, (n / 2 + 1) * 2 * sizeof *spectrum);                                                  \
        spectrum[1] = 0;                                                                                               \
        if (n % 2 == 0)                                                                                                \
            spectrum[n + 1] = 0;                                                                                       \
    }                                                                                                                  \
                                                                                                                       \
    void fft_inverse##suffix(const Fft *fft, const Number *spectrum, Number *x, void *work)                            \
    {                                                                                                                  \
        Number *input = work;                                                                                          \
        const Number *output = (const Number *)((const char *)work + fft->part_size);                                  \
        size_t n = (size_t)fft->n;                                                                                     \
                                                                                                                       \
        assert(fft->precision == (expected) && (size_t)work % MEM_ALIGN == 0);                                         \
        if (fft->longer) {                                                                                             \
            fft_long_inverse##suffix(fft->longer, spectrum, x, work);                                                  \
            return;                                                                                                    \
        }                                                                                                              \
        if (fft->chirp) {                                                                                              \
            fft_chirp_inverse##suffix(fft->chirp, spectrum, x, work);                                                  \
            return;                                                                                                    \
        }                                                                                                              \
        memcpy(input, spectrum, (n / 2 + 1) * 2 * sizeof *spectrum);                                                   \
        input[1] = 0;                                                                                                  \
        if (n % 2 == 0)                                                                                                \
            input[n + 1] = 0;                                                                                          \
        if (!fft->real)                                                                                                \
            for (size_t k = n / 2 + 1; k < n; k++) {                                                                   \
                input[2 * k] = input[2 * (n - k)];                                                                     \
                input[2 * k + 1] = -input[2 * (n - k) + 1];                                                            \
            }                                                                                                          \
        run(fft, &fft->inverse, work);                                                                                 \
        if (fft->real) {                                                                                               \
            memcpy(x, output, n * sizeof *x);                                                                          \
        } else {                                                                                                       \
            for (size_t i = 0; i < n; i++)                                                                             \
                x[i] = output[2 * i] / (Number)n; /* libavutil's complex transform takes no scale */                   \
        }                                                                                                              \
    }

DEFINE_TRANSFORMS(float, , FFT_FLOAT)
DEFINE_TRANSFORMS(double, _f64, FFT_DOUBLE)
