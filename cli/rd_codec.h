/* rd_codec.h - the codecs that `residua bench rd` compares, those of sound and those of pictures in one table.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_CLI_RD_CODEC_H
#define RESIDUA_CLI_RD_CODEC_H

#include "cli/eval_kind.h"
#include "cli/picture_tune.h"
#include "codec/picture_net.h"
#include "codec/residua.h"
#include "media/peer_file.h"

#define RD_MAX_SETTINGS 16
#define RD_MAX_CODECS 16
#define RD_OURS "residua"
#define RD_MAX_EFFORTS 3 /* of ours, besides the usual one */

/* One dial position: a bit rate for all channels together, or a quality of the encoder's own scale. */
typedef struct RdSetting {
    int bitrate_bps; /* 0: quality */
    double quality;
} RdSetting;

typedef struct RdCodec {
    const char *name;       /* "opus": option value, key of --json */
    const char *title;      /* "Opus" */
    const char *settings;   /* sentence for the report: encoder, options, container */
    const EvalKind *kind;   /* what it codes */
    const PeerFormat *peer; /* NULL: ours */
    const char *ending;     /* of files of sound */
    const char *dial;       /* what its quality is called */
    RdSetting ladder[RD_MAX_SETTINGS];
    size_t n_settings;
    int effort; /* of ours for pictures: that of residua encode */
} RdCodec;

/* Ours, of one kind; the other is NULL. */
typedef struct RdModel {
    RsdModel *sound;
    ImageCodec *image;
    PictureModel *picture; /* of image */
    TuneLoss loss;         /* that searches follow */
    const char *tune; /* its name, borrowed */
} RdModel;

/* Peers as a table; ours is described by its model. NULL past the end. */
const RdCodec *rd_peer_at(size_t i);

/* Whether it is ours with a search for smaller files. */
bool rd_codec_searches(const RdCodec *codec);

/* Opens the model of this kind; choice as model_choice_open. tune: NULL, or as `residua encode --tune` for pictures; kept. Errors:
 * RSD_ERR_MODEL, those of the files, those of tune_loss_create. */
RsdStatus rd_model_open(RdModel *model, const EvalKind *kind, const char *choice, const char *tune, RsdError *err);
void rd_model_close(RdModel *model);
/* Fills in ours: rates of 1, 2, 3, 4, 6, 8 .. stages of a model of sound, the whole levels of one of pictures. effort (1 .. 9) is for
 * pictures; other than the usual one it stands in name and title. */
#define RD_SETTINGS_SIZE 160
void rd_describe_ours(RdCodec *codec, const RdModel *model, int effort, char settings[RD_SETTINGS_SIZE]);

/* "6 kbit/s", "quality 2". Returns `text`. */
#define RD_SETTING_SIZE 32
const char *rd_setting_text(char text[RD_SETTING_SIZE], const RdCodec *codec, const RdSetting *setting);

#endif
