/* test_peer_file.c - files of other codecs are read back by our own reader: as long as what went in, aligned, like it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "media/peer_file.h"

#include <stdio.h>

#include "engine/base/mem.h"
#include "losses/align.h"
#include "tests/losses/signals.h"
#include "tests/media/fixture.h"

#define LEN 70001
#define RATE_HZ 16000

TestSuite(peer_file, .init = fixture_open, .fini = fixture_close);

static float x[2 * LEN];

static void try_format(const PeerFormat *format, const char *name, int channels)
{
    AudioReaderOptions reading = {.rate_hz = RATE_HZ};
    const char *path = fixture_path(name);
    uint8_t *bytes = NULL;
    float *y = NULL, *at_rate = x;
    Alignment found;
    int64_t n;
    size_t size;
    int rate_hz;
    FILE *file;
    RsdError err = {0};

    ASSERT_OK(peer_file_rate(&rate_hz, format, RATE_HZ, &err), err);
    cr_assert_eq(rate_hz, RATE_HZ, "%s", name);
    ASSERT_OK(peer_file_encode(&bytes, &size, format, at_rate, channels, LEN, rate_hz, &err), err);
    file = fopen(path, "wb");
    cr_assert(file && fwrite(bytes, 1, size, file) == size && fclose(file) == 0);
    ASSERT_OK(audio_read_all(path, &reading, 0, &y, &n, NULL, &err), err);
    cr_assert(n >= LEN - 1 && n <= LEN + 2000, "%s: %lld samples for %d", name, (long long)n, LEN);
    ASSERT_OK(align_find(&found, x, LEN, y, n, 1, RATE_HZ, 4000, &err), err);
    cr_assert(found.lag_samples >= -2 && found.lag_samples <= 2000, "%s: %lld late", name,
              (long long)found.lag_samples);
    cr_assert_gt(found.correlation, 0.9, "%s: correlation %.3f", name, found.correlation);
    mem_free(&bytes);
    mem_free(&y);
}

Test(peer_file, opus_aac_mp3_and_vorbis_come_back)
{
    static const PeerFormat opus = {"libopus", "opus", "vbr=on", 48000, 0}, aac = {"aac", "ipod", NULL, 64000, 0},
                            mp3 = {"libmp3lame", "mp3", "abr=1", 64000, 0}, vorbis = {"libvorbis", "ogg", NULL, 0, 6};

    fixture_signal(x, 2, LEN, RATE_HZ);
    for (int channels = 1; channels <= 2; channels++) {
        try_format(&opus, "a.opus", channels);
        try_format(&aac, "a.m4a", channels);
        try_format(&mp3, "a.mp3", channels);
        try_format(&vorbis, "a.ogg", channels);
    }
}

Test(peer_file, refuses_what_it_does_not_know)
{
    static const PeerFormat unknown = {"libnothing", "ogg", NULL, 8000, 0}, odd = {"libopus", "nothing", NULL, 8000, 0},
                            wrong = {"libopus", "opus", "frame_duration=7", 8000, 0},
                            opus = {"libopus", "opus", NULL, 16000, 0};
    uint8_t *bytes = NULL;
    size_t size;
    int rate_hz;
    RsdError err = {0};

    ASSERT_FAILS(peer_file_rate(&rate_hz, &unknown, 8000, &err), RSD_ERR_UNSUPPORTED, err, "libnothing");
    ASSERT_FAILS(peer_file_encode(&bytes, &size, &odd, x, 1, 100, 8000, &err), RSD_ERR_UNSUPPORTED, err, "nothing");
    ASSERT_FAILS(peer_file_encode(&bytes, &size, &wrong, x, 1, 100, 8000, &err), RSD_ERR_ARG, err, "libopus");
    ASSERT_FAILS(peer_file_encode(&bytes, &size, &opus, x, 3, 100, 8000, &err), RSD_ERR_ARG, err, "3 channels");
    ASSERT_OK(peer_file_rate(&rate_hz, &opus, 44100, &err), err);
    cr_assert_eq(rate_hz, 48000);
    ASSERT_OK(peer_file_encode(&bytes, &size, &opus, x, 1, 1, 8000, &err), err);
    cr_assert_gt(size, 0u);
    mem_free(&bytes);
}
