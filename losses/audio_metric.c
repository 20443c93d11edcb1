/* audio_metric.c - the table of metrics, and the mean over channels.
 *
 * SPDX-License-Identifier: MIT
 */
#include "losses/audio_metric.h"

#include <math.h>
#include <string.h>

#include "losses/beam_mel.h"
#include "losses/level.h"
#include "losses/loudness.h"
#include "losses/lsd.h"
#include "losses/mel_distance.h"
#include "losses/snr.h"
#include "losses/spatial.h"
#include "losses/stft_distance.h"
#include "losses/stoi.h"
#include "losses/visqol.h"

static const AudioMetric metrics[] = {
    {"snr", "SNR", "dB", "signal-to-noise ratio of the whole signal", METRIC_HIGHER, 2, metric_snr, NULL, true},
    {"segsnr", "segmental SNR", "dB", "mean over 30 ms frames of the SNR, each between -10 and 35 dB", METRIC_HIGHER, 2,
     metric_segmental_snr, NULL, true},
    {"sisdr", "SI-SDR", "dB", "scale-invariant signal-to-distortion ratio", METRIC_HIGHER, 2, metric_si_sdr, NULL,
     true},
    {"mel", "mel distance", "", "sum over seven resolutions of the mean difference of log10 mel spectra", METRIC_LOWER,
     3, metric_mel_distance, NULL, true},
    {"lsd", "LSD", "log10 power", "log-spectral distance of 2048-sample spectra", METRIC_LOWER, 3, metric_lsd, NULL,
     true},
    {"lsd_hf", "LSD above half", "log10 power", "LSD of the upper half of the spectrum, above a quarter of the sampling rate",
     METRIC_LOWER, 3, metric_lsd_hf, NULL, false},
    {"stoi", "STOI", "", "short-time objective intelligibility, 0 to 1", METRIC_HIGHER, 4, metric_stoi, NULL, true},
    {"estoi", "ESTOI", "", "extended short-time objective intelligibility, 0 to 1", METRIC_HIGHER, 4, metric_estoi,
     NULL, true},
    {"l1", "waveform", "", "mean absolute difference of the samples", METRIC_LOWER, 5, metric_l1, NULL, false},
    {"stft", "STFT distance", "", "log and linear magnitudes at windows of 2048 and 512 samples, as DAC reports it",
     METRIC_LOWER, 3, metric_stft, NULL, false},
    {"mrstft", "MR-STFT", "", "spectral convergence and log magnitudes at three resolutions", METRIC_LOWER, 3,
     metric_mrstft, NULL, false},
    {"loudness", "loudness", "LU", "loudness of the whole less that of the original (BS.1770, gated)", METRIC_NEAR_ZERO,
     2, NULL, metric_loudness, true},
    {"truepeak", "true peak", "dB", "true peak less that of the original (BS.1770, between samples)", METRIC_NEAR_ZERO,
     2, NULL, metric_true_peak, false},
    {"level", "level", "dB", "root mean square less that of the original", METRIC_NEAR_ZERO, 2, metric_level, NULL,
     false},
    {"visqol", "ViSQOL audio", "MOS", "opinion score of version 3 at 48 kHz, 1 to 5; needs --visqol-model",
     METRIC_HIGHER, 3, NULL, metric_visqol, false},
    {"visqol_speech", "ViSQOL speech", "MOS", "opinion score of version 3 at 16 kHz by its exponential fit, 1 to 5",
     METRIC_HIGHER, 3, NULL, metric_visqol_speech, false},
    {"vnsim", "ViSQOL NSIM", "", "similarity of ear spectrograms at 48 kHz that ViSQOL audio maps, 0 to 1",
     METRIC_HIGHER, 4, NULL, metric_vnsim, false},
    {"sp_level", "spatial level", "", "difference of the shares of energy of the channels, in tiles of band and time",
     METRIC_LOWER, 4, NULL, metric_spatial_level, false},
    {"sp_coherence", "coherence", "", "difference of the coherence between channels, in tiles of band and time",
     METRIC_LOWER, 4, NULL, metric_spatial_coherence, false},
    {"sp_phase", "phase", "", "1 less the cosine of the difference of phase between channels, 0 to 2", METRIC_LOWER, 4,
     NULL, metric_spatial_phase, false},
    {"sp_angle", "direction", "deg", "angle between intensity vectors of Ambisonics (4, 9 or 16 channels, ACN)",
     METRIC_LOWER, 2, NULL, metric_spatial_angle, false},
    {"sp_beam", "beam mel", "", "mel distance of 24 beams over the sphere of Ambisonics (4, 9 or 16 channels, ACN)", METRIC_LOWER, 3,
     NULL, metric_beam_mel, false},
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

static RsdStatus check_signals(const AudioMetric *metric, const MetricChannels *s, RsdError *err)
{
    RsdStatus status = RSD_OK;

    CHECK(s->channels >= 1 && s->n >= 1, err, RSD_ERR_ARG, "%s: %d channels of %lld samples cannot be compared",
          metric->title, s->channels, (long long)s->n);
    CHECK(s->rate_hz >= 1, err, RSD_ERR_ARG, "%s: sampling rate of %d Hz", metric->title, s->rate_hz);
    for (int c = 0; c < s->channels; c++) {
        TRY(check_finite(s->ref + (size_t)c * s->ref_stride, s->n, "reference", c, err));
        TRY(check_finite(s->dist + (size_t)c * s->dist_stride, s->n, "distorted", c, err));
    }
fail:
    return status;
}

void metric_mean_add(MetricMean *mean, const MetricValue *value)
{
    const int flagged = value->flags != 0;

    mean->sums[flagged] += value->value;
    mean->n[flagged]++;
    mean->flags |= value->flags;
}

MetricValue metric_mean_value(const MetricMean *mean)
{
    const int flagged = mean->n[0] == 0;
    const double sum = mean->sums[flagged];

    /* +inf of one channel and -inf of another */
    return (MetricValue){isnan(sum) ? 0 : sum / mean->n[flagged], flagged ? mean->flags : 0};
}

RsdStatus audio_metric_measure(MetricValue *out, MetricValue *each, const AudioMetric *metric, const MetricChannels *s,
                               RsdError *err)
{
    RsdStatus status = RSD_OK;
    MetricMean mean = {0};

    *out = (MetricValue){0};
    TRY(check_signals(metric, s, err));
    for (int c = 0; each && c < s->channels; c++)
        each[c] = (MetricValue){.flags = METRIC_NOT_APPLICABLE};
    if (metric->whole)
        return metric->whole(out, s, err);
    for (int c = 0; c < s->channels; c++) {
        MetricSignals signals = {s->ref + (size_t)c * s->ref_stride, s->dist + (size_t)c * s->dist_stride, s->n,
                                 s->rate_hz, s->aids};
        MetricValue one = {0};

        TRY(metric->function(&one, &signals, err));
        metric_mean_add(&mean, &one);
        if (each)
            each[c] = one;
    }
    *out = metric_mean_value(&mean);
fail:
    return status;
}

RsdStatus audio_metric_apply(MetricValue *out, const AudioMetric *metric, const float *ref, size_t ref_stride,
                             const float *dist, size_t dist_stride, int channels, int64_t n, int rate_hz, RsdError *err)
{
    static const MetricAids none;
    MetricChannels signals = {ref, dist, ref_stride, dist_stride, channels, n, rate_hz, &none};

    return audio_metric_measure(out, NULL, metric, &signals, err);
}
