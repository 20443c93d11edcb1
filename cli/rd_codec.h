/* rd_codec.h - the codecs that `residua bench rd` compares: each codes one recording at one setting and decodes it again.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_CLI_RD_CODEC_H
#define RESIDUA_CLI_RD_CODEC_H

#include "codec/residua.h"
#include "media/peer_file.h"

#define RD_MAX_SETTINGS 16

/* One dial position: a bit rate for all channels together, or a quality of the encoder's own scale. */
typedef struct RdSetting {
    int bitrate_bps; /* 0: quality */
    double quality;
} RdSetting;

typedef struct RdCodec {
    const char *name;       /* "opus": option value, key of --json */
    const char *title;      /* "Opus" */
    const char *settings;   /* sentence for the report: encoder, options, container */
    const PeerFormat *peer; /* NULL: ours */
    const char *ending;     /* of its files */
    RdSetting ladder[RD_MAX_SETTINGS];
    size_t n_settings;
} RdCodec;

typedef struct RdCoded {
    float *samples; /* planar [channels, n], owned by the caller (mem_free) */
    int64_t n;
    int64_t n_bytes;           /* of the whole file */
    double encode_s, decode_s; /* processor time of this thread; converting rates is not counted for ours */
} RdCoded;

/* Peers as a table; ours is described by its model. NULL past the end. */
const RdCodec *rd_peer_at(size_t i);

/* Fills in ours: rates of 1, 2, 3, 4, 6, 8 .. stages of the model. */
void rd_describe_ours(RdCodec *codec, const RsdModel *model, char settings[160]);

/* "6 kbit/s", "quality 2". Returns `text`. */
#define RD_SETTING_SIZE 32
const char *rd_setting_text(char text[RD_SETTING_SIZE], const RdSetting *setting);

/* samples planar [channels, n] at rate_hz; what comes back has that rate and number of channels. Peers' files are decoded as
 * any file is, so that the delays they declare are gone. model is for ours. Any thread. Errors: those of the codecs,
 * RSD_ERR_IO (no temporary file). */
RsdStatus rd_code(RdCoded *out, const RdCodec *codec, const RdSetting *setting, const RsdModel *model,
                  const float *samples, int channels, int64_t n, int rate_hz, RsdError *err);

#endif
