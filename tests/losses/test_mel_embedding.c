/* test_mel_embedding.c - rows of log mel statistics: how many, what they say, and where a distance of them comes from.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "engine/base/mem.h"
#include "losses/frechet.h"
#include "losses/mel_embedding.h"
#include "tests/losses/signals.h"
#include "tests/shared.h"

#define SECONDS 10
#define LEN (SECONDS * MEL_EMBEDDING_RATE_HZ)

Test(mel_embedding, has_a_row_for_each_stretch_and_follows_the_level)
{
    static float x[LEN], quiet[LEN];
    double *rows, *quiet_rows;
    int64_t n, n_quiet;
    RsdError err = {0};

    signal_speech_like(x, LEN, MEL_EMBEDDING_RATE_HZ, 1);
    signal_disturb(x, x, LEN, 2, 0.05f); /* no band falls to the floor */
    for (int i = 0; i < LEN; i++)
        quiet[i] = 0.1f * x[i];
    ASSERT_OK(mel_embedding(&rows, &n, x, LEN, &err), err);
    ASSERT_OK(mel_embedding(&quiet_rows, &n_quiet, quiet, LEN, &err), err);
    cr_assert(n == 10 && n_quiet == 10, "%lld rows", (long long)n); /* 10.4 stretches */
    for (int64_t i = 0; i < n; i++)
        for (int b = 0; b < MEL_EMBEDDING_BANDS; b++) {
            const double *loud = rows + i * MEL_EMBEDDING_DIM, *soft = quiet_rows + i * MEL_EMBEDDING_DIM;

            cr_assert(fabs(loud[b] - soft[b] - 1.0) < 1e-5, "row %lld, band %d: %g and %g", (long long)i, b, loud[b], soft[b]);
            cr_assert(fabs(loud[MEL_EMBEDDING_BANDS + b] - soft[MEL_EMBEDDING_BANDS + b]) < 1e-5 && loud[MEL_EMBEDDING_BANDS + b] > 0);
        }
    mem_free(&rows);
    mem_free(&quiet_rows);
    ASSERT_OK(mel_embedding(&rows, &n, x, 15359, &err), err);
    cr_assert(n == 0 && !rows);
}

/* Equal covariances: what remains is the distance of the means, 32 bands by 1 each. */
Test(mel_embedding, ten_times_the_level_is_a_distance_of_the_bands)
{
    static float x[LEN], quiet[LEN];
    double *rows, *quiet_rows, value;
    int64_t n, n_quiet;
    RsdError err = {0};

    signal_speech_like(x, LEN, MEL_EMBEDDING_RATE_HZ, 3);
    signal_disturb(x, x, LEN, 4, 0.05f);
    for (int i = 0; i < LEN; i++)
        quiet[i] = 0.1f * x[i];
    ASSERT_OK(mel_embedding(&rows, &n, x, LEN, &err), err);
    ASSERT_OK(mel_embedding(&quiet_rows, &n_quiet, quiet, LEN, &err), err);
    ASSERT_OK(frechet_distance(&value, &(Embeddings){rows, n, MEL_EMBEDDING_DIM},
                               &(Embeddings){quiet_rows, n_quiet, MEL_EMBEDDING_DIM}, &err), err);
    ASSERT_CLOSE("distance", value, MEL_EMBEDDING_BANDS, ((Tolerance){.rel = 1e-4}));
    mem_free(&rows);
    mem_free(&quiet_rows);
}
