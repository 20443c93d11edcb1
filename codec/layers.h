/* layers.h - which quantiser stages each layer of a stream holds (docs/format.md, "Stages and layers").
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_LAYERS_H
#define RESIDUA_LAYERS_H

#include "codec/residua.h"

/* The customary split of n_stages (>= 1) stages: layers end at 3, 6, 12, then every 12, where the stride of the stages changes,
 * strides [n_stages] or NULL, and where the stages end. What is left after RSD_MAX_LAYERS - 1 layers is one layer; strides must change
 * so seldom that it has one. Fills layer_stages, returns the number of layers. */
int layers_split(int n_stages, const int *strides, int layer_stages[RSD_MAX_LAYERS]);

/* How many of a stream's layers fit into bitrate_bps; at least 1. */
int layers_for_bitrate(const RsdStreamInfo *info, double bitrate_bps);
/* How many of a stream's stages do, 0 when the first does not. */
int layers_stages_for_bitrate(const RsdStreamInfo *info, double bitrate_bps);

#endif
