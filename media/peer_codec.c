/* peer_codec.c - checks the request, hands it to the module and brings the result back to the input's rate.
 *
 * SPDX-License-Identifier: MIT
 */
#include "media/peer_codec.h"

#include "engine/base/mem.h"
#include "media/av_module.h"
#include "media/resampler.h"

#define OPUS_DECODER_HZ 48000

RsdStatus peer_opus(const float *samples, int64_t n_samples, const PeerOptions *options, float **decoded,
                    PeerResult *result, RsdError *err)
{
    RsdStatus status = RSD_OK;
    const AvModule *module;
    float *at_48k = NULL;
    int64_t n_48k, n_back;
    int rate_hz = options->rate_hz;

    *decoded = NULL;
    CHECK(rate_hz == 8000 || rate_hz == 12000 || rate_hz == 16000 || rate_hz == 24000 || rate_hz == 48000, err,
          RSD_ERR_ARG, "Opus takes 8000, 12000, 16000, 24000 or 48000 Hz, not %d Hz", rate_hz);
    CHECK(options->bitrate_bps >= 500 && options->bitrate_bps <= 512000, err, RSD_ERR_ARG,
          "Opus takes 500 to 512000 bit/s, not %d", options->bitrate_bps);
    CHECK(n_samples >= 0 && n_samples < INT64_MAX / 64, err, RSD_ERR_ARG, "%lld samples", (long long)n_samples);
    TRY(av_module_get(&module, err));
    TRY(module->peer_opus(samples, n_samples, options, &at_48k, &n_48k, result, err));
    TRY(resample_signal(at_48k, n_48k, OPUS_DECODER_HZ, rate_hz, decoded, &n_back, err));
    module->peer_free(at_48k);
    return RSD_OK;
fail:
    if (at_48k)
        module->peer_free(at_48k);
    return status;
}
