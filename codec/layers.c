/* layers.c - the customary split of stages into layers.
 *
 * SPDX-License-Identifier: MIT
 */
#include "codec/layers.h"

/* With 0.5 kbit/s per stage these are 1.5, 3 and 6 kbit/s. More layers would let a stream be cut more finely, but each
 * costs 6 bytes per packet. */
static const int LAYER_ENDS[] = {3, 6, 12};
#define N_LAYER_ENDS ((int)(sizeof LAYER_ENDS / sizeof *LAYER_ENDS))
#define FURTHER_STAGES 12

int layers_split(int n_stages, int layer_stages[RSD_MAX_LAYERS])
{
    int n_layers = 0;

    for (int begin = 0, end; begin < n_stages; begin = end) {
        end = n_layers < N_LAYER_ENDS ? LAYER_ENDS[n_layers] : begin + FURTHER_STAGES;
        if (end > n_stages || n_layers == RSD_MAX_LAYERS - 1)
            end = n_stages;
        layer_stages[n_layers++] = end - begin;
    }
    return n_layers;
}

int layers_for_bitrate(const RsdStreamInfo *info, double bitrate_bps)
{
    double stage_bps = info->bitrate_bps / info->n_stages;
    int n_stages = info->layer_stages[0], n_layers = 1;

    /* Half a bit per second of tolerance: 3 x 33.3 kbit/s is "100k". */
    while (n_layers < info->n_layers && (n_stages + info->layer_stages[n_layers]) * stage_bps <= bitrate_bps + 0.5)
        n_stages += info->layer_stages[n_layers++];
    return n_layers;
}
