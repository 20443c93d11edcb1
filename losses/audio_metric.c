/* audio_metric.c - the table of metrics, and the mean over channels.
 *
 * SPDX-License-Identifier: MIT
 */
#include "losses/audio_metric.h"

#include <math.h>
#include <string.h>

#include "losses/lsd.h"
#include "losses/mel_distance.h"
#include "losses/snr.h"
#include "losses/stoi.h"

static const AudioMetric metrics[] = {
    {"snr", "SNR", "dB", "signal-to-noise ratio of the whole signal", true, 2, metric_snr},
    {"segsnr", "segmental SNR", "dB", "mean over 30 ms frames of the SNR, each between -10 and 35 dB", true, 2,
     metric_segmental_snr},
    {"sisdr", "SI-SDR", "dB", "scale-invariant signal-to-distortion ratio", true, 2, metric_si_sdr},
    {"mel", "mel distance", "", "sum over seven resolutions of the mean difference of log10 mel spectra", false, 3,
     metric_mel_distance},
    {"lsd", "LSD", "log10 power", "log-spectral distance of 2048-sample spectra", false, 3, metric_lsd},
    {"stoi", "STOI", "", "short-time objective intelligibility, 0 to 1", true, 4, metric_stoi},
    {"estoi", "ESTOI", "", "extended short-time objective intelligibility, 0 to 1", true, 4, metric_estoi},
};

const AudioMetric *audio_metric_at(size_t i)
{
    return i < sizeof metrics / sizeof metrics[0] ? &metrics[i] : NULL;
}

const AudioMetric *audio_metric_find(const char *name)
{
    for (size_t i = 0; i < sizeof metrics / sizeof metrics[0]; i++)
        if (strcmp(metrics[i].name, name) == 0)
            return &metrics[i];
    return NULL;
}

static RsdStatus check_finite(const float *x, int64_t n, const char *which, int channel, RsdError *err)
{
    for (int64_t i = 0; i < n; i++)
        if (!isfinite(x[i]))
            return error_set(err, RSD_ERR_NUMERIC, "sample %lld of channel %d of the %s signal is %s", (long long)i,
                             channel + 1, which, isnan(x[i]) ? "not a number" : "infinite");
    return RSD_OK;
}

RsdStatus audio_metric_apply(MetricValue *out, const AudioMetric *metric, const float *ref, size_t ref_stride,
                             const float *dist, size_t dist_stride, int channels, int64_t n, int rate_hz, RsdError *err)
{
    RsdStatus status = RSD_OK;
    double sum = 0;

    out->flags = 0;
    CHECK(channels >= 1 && n >= 1, err, RSD_ERR_ARG, "%s: %d channels of %lld samples cannot be compared",
          metric->title, channels, (long long)n);
    CHECK(rate_hz >= 1, err, RSD_ERR_ARG, "%s: sampling rate of %d Hz", metric->title, rate_hz);
    for (int c = 0; c < channels; c++) {
        MetricSignals signals = {ref + (size_t)c * ref_stride, dist + (size_t)c * dist_stride, n, rate_hz};
        MetricValue one = {0};

        TRY(check_finite(signals.ref, n, "reference", c, err));
        TRY(check_finite(signals.dist, n, "distorted", c, err));
        TRY(metric->function(&one, &signals, err));
        sum += one.value;
        out->flags |= one.flags;
    }
    out->value = isnan(sum) ? 0 : sum / channels; /* +inf of one channel and -inf of another */
fail:
    return status;
}
