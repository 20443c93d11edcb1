/* mel_embedding.c - log mel spectra, summed over stretches.
 *
 * SPDX-License-Identifier: MIT
 */
#include "losses/mel_embedding.h"

#include <math.h>

#include "engine/base/mem.h"
#include "engine/dsp/mel.h"
#include "losses/power_frames.h"

#define WIN_LEN 512
#define HOP_LEN 160
#define FRAMES_PER_ROW 96
#define MAGNITUDE_FLOOR 1e-5

/* Mean and deviation of each band over the frames from `first` on. */
static void fill_row(double *row, PowerFrames *frames, const MelBank *bank, const float *x, int64_t n, int64_t first,
                     double *magnitude)
{
    const BandMatrix *m = &bank->filters;
    double squares[MEL_EMBEDDING_BANDS] = {0.0};

    for (int b = 0; b < MEL_EMBEDDING_BANDS; b++)
        row[b] = 0.0;
    for (int64_t k = first; k < first + FRAMES_PER_ROW; k++) {
        power_frames_get(frames, x, n, k, magnitude);
        for (int i = 0; i <= WIN_LEN / 2; i++)
            magnitude[i] = sqrt(magnitude[i]);
        for (int b = 0; b < MEL_EMBEDDING_BANDS; b++) {
            double sum = 0.0, level;

            for (int i = 0; i < m->count[b]; i++)
                sum += m->weights[m->offset[b] + i] * magnitude[m->first[b] + i];
            level = log10(fmax(sum, MAGNITUDE_FLOOR));
            row[b] += level / FRAMES_PER_ROW;
            squares[b] += level * level / FRAMES_PER_ROW;
        }
    }
    for (int b = 0; b < MEL_EMBEDDING_BANDS; b++)
        row[MEL_EMBEDDING_BANDS + b] = sqrt(fmax(0.0, squares[b] - row[b] * row[b]));
}

RsdStatus mel_embedding(double **rows, int64_t *n_rows, const float *x, int64_t n, RsdError *err)
{
    const MelConfig config = {.rate_hz = MEL_EMBEDDING_RATE_HZ,
                              .n_fft = WIN_LEN,
                              .n_mels = MEL_EMBEDDING_BANDS,
                              .f_min_hz = 60.0,
                              .f_max_hz = 7800.0,
                              .scale = MEL_SLANEY,
                              .unit_area = true};
    PowerFrames *frames = NULL;
    MelBank *bank = NULL;
    double *magnitude = NULL;
    RsdStatus status = RSD_OK;

    *rows = NULL;
    *n_rows = n / (HOP_LEN * FRAMES_PER_ROW);
    if (!*n_rows)
        return RSD_OK;
    TRY(mel_create(&bank, &config, err));
    TRY(power_frames_create(&frames, WIN_LEN, HOP_LEN, err));
    TRY(mem_alloc(&magnitude, WIN_LEN / 2 + 1, sizeof *magnitude, err));
    TRY(mem_alloc(rows, (size_t)*n_rows * MEL_EMBEDDING_DIM, sizeof **rows, err));
    for (int64_t i = 0; i < *n_rows; i++)
        fill_row(*rows + i * MEL_EMBEDDING_DIM, frames, bank, x, n, i * FRAMES_PER_ROW, magnitude);
fail:
    mel_destroy(&bank);
    power_frames_destroy(&frames);
    mem_free(&magnitude);
    return status;
}
