/* layers.c - the customary split of stages into layers.
 *
 * SPDX-License-Identifier: MIT
 */
#include "codec/layers.h"

#include "codec/container.h"
#include "models/audio_codec.h"

/* With 0.5 kbit/s per stage these are 1.5, 3 and 6 kbit/s. More layers would let a stream be cut more finely, but each
 * costs 6 bytes per packet. */
static const int LAYER_ENDS[] = {3, 6, 12};
#define N_LAYER_ENDS ((int)(sizeof LAYER_ENDS / sizeof *LAYER_ENDS))
#define FURTHER_STAGES 12

int layers_split(int n_stages, const int *strides, int layer_stages[RSD_MAX_LAYERS])
{
    int n_layers = 0, i_end = 0;

    for (int begin = 0, end; begin < n_stages; begin = end) {
        while (i_end < N_LAYER_ENDS && LAYER_ENDS[i_end] <= begin)
            i_end++;
        end = i_end < N_LAYER_ENDS ? LAYER_ENDS[i_end] : begin + FURTHER_STAGES;
        if (end > n_stages || n_layers == RSD_MAX_LAYERS - 1)
            end = n_stages;
        for (int i = begin + 1; strides && i < end; i++)
            if (strides[i] != strides[begin])
                end = i;
        layer_stages[n_layers++] = end - begin;
    }
    return n_layers;
}

int layers_for_bitrate(const RsdStreamInfo *info, double bitrate_bps)
{
    double bps = info->layer_stages[0] * stream_stage_bps(info, 0);
    int n_layers = 1;

    while (n_layers < info->n_layers &&
           (bps += info->layer_stages[n_layers] * stream_stage_bps(info, n_layers)) <= bitrate_bps + AUDIO_RATE_TOLERANCE_BPS)
        n_layers++;
    return n_layers;
}

int layers_stages_for_bitrate(const RsdStreamInfo *info, double bitrate_bps)
{
    double bps = 0.0;
    int n_stages = 0;

    for (int layer = 0; layer < info->n_layers; layer++)
        for (int i = 0; i < info->layer_stages[layer]; i++, n_stages++)
            if ((bps += stream_stage_bps(info, layer)) > bitrate_bps + AUDIO_RATE_TOLERANCE_BPS)
                return n_stages;
    return n_stages;
}
