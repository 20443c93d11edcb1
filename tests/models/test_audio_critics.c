/* test_audio_critics.c - what the check of a configuration lets through can judge a signal.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "models/audio_critics.h"
#include "tests/shared.h"

/* Whether critics of the configuration judge the shortest signal that they take. */
static RsdStatus judge_shortest(const AudioCriticsConfig *config, RsdError *err)
{
    const int64_t n = audio_critics_min_len(config);
    AudioCritics *critics = NULL;
    ParamSet *params = NULL;
    RsdThreads *threads = NULL;
    Tape *tape = NULL;
    Tensor *x;
    CriticMaps *maps = calloc(CRITICS_MAX, sizeof *maps);
    RsdStatus status = RSD_OK;

    TRY(rsd_threads_create(&threads, 1, err));
    TRY(tape_create(&tape, threads, 0, err));
    TRY(params_create(&params, err));
    TRY(audio_critics_create(&critics, config, params, 1, err));
    TRY(tape_tensor(tape, &x, 3, (int64_t[]){1, config->channels, n}, err));
    params_fill_constant(x, 0.5f);
    TRY(audio_critics_begin(critics, tape, err));
    TRY(audio_critics_judge(critics, tape, x, maps, err));
fail:
    audio_critics_destroy(&critics);
    params_destroy(&params);
    tape_destroy(&tape);
    rsd_threads_destroy(&threads);
    free(maps);
    return status;
}

Test(audio_critics, what_the_check_lets_through_runs)
{
    int n_allowed = 0, n_refused = 0;

    for (int first = 4; first <= 8; first += 4)
        for (int widest = first; widest <= 24 * first; widest += first) {
            const AudioCriticsConfig config = {.channels = 1, .n_scales = 1, .scale_channels = first, .scale_max_channels = widest};
            RsdError err;

            if (audio_critics_check_config(&config, NULL) == RSD_OK) {
                ASSERT_OK(judge_shortest(&config, &err), err);
                n_allowed++;
            } else {
                n_refused++;
            }
        }
    cr_assert(n_allowed > 20 && n_refused > 10, "%d allowed, %d refused", n_allowed, n_refused);
    for (int window = 16; window <= 64; window += 4)
        for (int bands = 0; bands < 2; bands++) {
            AudioCriticsConfig config = {.channels = 1, .n_stft = !bands, .stft_windows = {window}, .stft_channels = 2,
                                         .n_bands = bands, .band_windows = {window}, .band_channels = 2};
            RsdError err;

            if (bands && window == 16)
                cr_assert_eq(audio_critics_check_config(&config, &err), RSD_ERR_ARG);
            else
                ASSERT_OK(judge_shortest(&config, &err), err);
        }
}

Test(audio_critics, groups_that_do_not_share_a_layer_are_named)
{
    const AudioCriticsConfig config = {.channels = 1, .n_scales = 1, .scale_channels = 16, .scale_max_channels = 400};
    RsdError err;

    cr_assert_eq(audio_critics_check_config(&config, &err), RSD_ERR_ARG);
    cr_assert(strstr(err.text, "64 groups do not share 400"), "%s", err.text);
}
