/* codec2_peer.c - the door to libcodec2, when configure has found it (Debian package libcodec2-dev).
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "config.h"
#include "tests/quality/systems.h"

#ifdef RESIDUA_HAVE_CODEC2

#include <codec2/codec2.h>
#include <string.h>

#include "engine/base/mem.h"

bool codec2_is_available(void)
{
    return true;
}

static int mode_for(int bitrate_bps)
{
    switch (bitrate_bps) {
    case 3200:
        return CODEC2_MODE_3200;
    case 2400:
        return CODEC2_MODE_2400;
    case 1200:
        return CODEC2_MODE_1200;
    default:
        return -1;
    }
}

/* One frame of x from `from`, zeros behind the end. */
static void to_shorts(short *dst, int len, const float *x, int64_t n, int64_t from)
{
    for (int i = 0; i < len; i++) {
        double v = from + i < n ? rint(x[from + i] * 32768.0) : 0;

        dst[i] = (short)fmax(-32768, fmin(32767, v));
    }
}

RsdStatus codec2_code(float *x, int64_t n, int bitrate_bps, int64_t *n_bytes, RsdError *err)
{
    RsdStatus status = RSD_OK;
    struct CODEC2 *encoder = NULL, *decoder = NULL;
    unsigned char bits[64];
    short frame[1024];
    int mode = mode_for(bitrate_bps), len, n_bits;
    int64_t total_bits = 0;

    CHECK(mode >= 0, err, RSD_ERR_UNSUPPORTED, "Codec 2 has no mode of %d bit/s", bitrate_bps);
    encoder = codec2_create(mode);
    decoder = codec2_create(mode);
    CHECK(encoder && decoder, err, RSD_ERR_MEMORY, "no memory for Codec 2");
    len = codec2_samples_per_frame(encoder);
    n_bits = codec2_bits_per_frame(encoder);
    CHECK(len <= (int)(sizeof frame / sizeof frame[0]) && n_bits <= (int)sizeof bits * 8, err, RSD_ERR_UNSUPPORTED,
          "Codec 2 has frames of %d samples and %d bits", len, n_bits);
    for (int64_t from = 0; from < n; from += len) {
        to_shorts(frame, len, x, n, from);
        codec2_encode(encoder, bits, frame);
        codec2_decode(decoder, frame, bits);
        for (int i = 0; i < len && from + i < n; i++)
            x[from + i] = (float)frame[i] / 32768.0f;
        total_bits += n_bits;
    }
    *n_bytes = (total_bits + 7) / 8;
fail:
    if (encoder)
        codec2_destroy(encoder);
    if (decoder)
        codec2_destroy(decoder);
    return status;
}

#else

bool codec2_is_available(void)
{
    return false;
}

RsdStatus codec2_code(float *x, int64_t n, int bitrate_bps, int64_t *n_bytes, RsdError *err)
{
    (void)x, (void)n, (void)bitrate_bps, (void)n_bytes;
    return error_set(err, RSD_ERR_UNSUPPORTED, "built without Codec 2");
}

#endif
