/* spatial.h - where sound comes from: levels, coherence and phases between channels, and directions of Ambisonics.
 *
 * The covariance of all channels over a tile (24 bands equally wide on the ear's scale, five frames) decides what every
 * loudspeaker or pair of ears hears of it, so tiles are compared:
 *   C(b, t) = sum over the band's bins and frames t-2 .. t+2 of S S^H, transforms of 2048 and 512 samples, hop a quarter
 * Tiles weigh as much as the reference has energy in them. Needs two channels or more.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_SPATIAL_H
#define RESIDUA_SPATIAL_H

#include "losses/audio_metric.h"

#define SPATIAL_MAX_CHANNELS 16 /* Ambisonics of third order */

typedef struct SpatialDistance {
    double level;     /* mean |C_ii / tr C - C'_ii / tr C'|, 0 to 1 */
    double coherence; /* mean | |gamma| - |gamma'| | over pairs of channels, 0 to 1 */
    double
        phase; /* mean 1 - cos of the difference of phase, weighted by the coherence and towards low frequencies, 0 to 2 */
    double
        angle_deg; /* of intensity vectors, first-order part (channels W, Y, Z, X), weighted by directness; else NaN */
    bool silent;   /* the reference has no energy */
} SpatialDistance;

/* 2 to SPATIAL_MAX_CHANNELS channels; angle_deg for 4, 9 or 16 (ACN order, SN3D). Errors: RSD_ERR_ARG, RSD_ERR_MEMORY.
 * [audio.md 3.3] */
RsdStatus spatial_distance(SpatialDistance *out, const MetricChannels *signals, RsdError *err);

/* METRIC_NOT_APPLICABLE for one channel, for more than 16, and (angle) for other numbers than 4, 9 and 16. */
RsdStatus metric_spatial_level(MetricValue *out, const MetricChannels *signals, RsdError *err);
RsdStatus metric_spatial_coherence(MetricValue *out, const MetricChannels *signals, RsdError *err);
RsdStatus metric_spatial_phase(MetricValue *out, const MetricChannels *signals, RsdError *err);
RsdStatus metric_spatial_angle(MetricValue *out, const MetricChannels *signals, RsdError *err);

#endif
