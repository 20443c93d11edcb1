/* test_peer_codec.c - Opus comes back aligned, as long as it was, at about the rate asked for.
 *
 * SPDX-License-Identifier: MIT
 */
#include "media/peer_codec.h"

#include "engine/base/mem.h"
#include "losses/align.h"
#include "tests/losses/signals.h"
#include "tests/media/fixture.h"

#define LEN 80011

TestSuite(peer_codec, .init = fixture_open, .fini = fixture_close);

static float x[LEN];

Test(peer_codec, opus_is_aligned_and_keeps_its_rate)
{
    static const int bitrates[] = {9000, 16000, 32000};
    double last_kbps = 0;

    signal_speech_like(x, LEN, 16000, 1);
    for (int i = 1; i < LEN; i++)
        x[i] = 0.9f * x[i - 1] + 0.3f * x[i]; /* darker, as speech is */
    for (size_t i = 0; i < sizeof bitrates / sizeof bitrates[0]; i++) {
        PeerOptions options = {
            .rate_hz = 16000, .bitrate_bps = bitrates[i], .frame_ms = 20, .speech = true, .vbr = true};
        PeerResult result;
        float *y = NULL;
        Alignment found;
        RsdError err = {0};
        double kbps;

        ASSERT_OK(peer_opus(x, LEN, &options, &y, &result, &err), err);
        kbps = (double)result.packet_bytes * 8 * 16 / LEN;
        cr_assert(kbps > 0.5e-3 * bitrates[i] && kbps < 1.4e-3 * bitrates[i], "%d bit/s asked, %.2f kbit/s used",
                  bitrates[i], kbps);
        cr_assert_gt(kbps, last_kbps);
        last_kbps = kbps;
        /* 20 ms frames, and one more for the encoder's delay */
        cr_assert(result.n_packets == (LEN + 319) / 320 || result.n_packets == (LEN + 319) / 320 + 1, "%lld packets",
                  (long long)result.n_packets);
        ASSERT_OK(align_find(&found, x, LEN, y, LEN, 1, 16000, 1600, &err), err);
        cr_assert(found.lag_samples >= -1 && found.lag_samples <= 1, "%lld samples late", (long long)found.lag_samples);
        cr_assert_gt(found.correlation, 0.3, "correlation of %.3f", found.correlation);
        mem_free(&y);
    }
}

Test(peer_codec, handles_short_signals_and_refuses_wrong_options)
{
    PeerOptions options = {.rate_hz = 16000, .bitrate_bps = 12000, .frame_ms = 20, .speech = true, .vbr = true};
    PeerResult result;
    float *y = NULL;
    RsdError err = {0};

    signal_noise(x, 1000, 2);
    for (int64_t n = 1; n < 1000; n = n * 4 + 1) {
        ASSERT_OK(peer_opus(x, n, &options, &y, &result, &err), err);
        mem_free(&y);
    }
    options.rate_hz = 44100;
    ASSERT_FAILS(peer_opus(x, 100, &options, &y, &result, &err), RSD_ERR_ARG, err, "not 44100 Hz");
    options.rate_hz = 16000;
    options.bitrate_bps = 100;
    ASSERT_FAILS(peer_opus(x, 100, &options, &y, &result, &err), RSD_ERR_ARG, err, "not 100");
    options.bitrate_bps = 12000;
    options.frame_ms = 7;
    cr_assert_neq(peer_opus(x, 100, &options, &y, &result, &err), RSD_OK);
    cr_assert_null(y);
}
