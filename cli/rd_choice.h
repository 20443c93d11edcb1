/* rd_choice.h - which codecs `residua bench rd` compares: ours at its efforts and levels, the others by name, the anchors.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_CLI_RD_CHOICE_H
#define RESIDUA_CLI_RD_CHOICE_H

#include "cli/rd_run.h"

/* What the options say; each is NULL when it was not given. Lists are divided by commas. */
typedef struct RdChoice {
    const char *names;   /* --codecs; NULL: all of the kind */
    const char *model;   /* --model, as model_choice_open takes it */
    const char *tune;    /* --tune: a loss */
    const char *efforts; /* --effort: besides the usual one */
    const char *levels;  /* --levels: in rising order, steps of 1/16 */
    const char *anchor;  /* --anchor: names; NULL: that of the kind, or the first codec */
} RdChoice;

/* Storage of what takes part. */
typedef struct RdCompared {
    RdCodec codecs[RD_MAX_CODECS];
    char settings[1 + RD_MAX_EFFORTS][RD_SETTINGS_SIZE];
} RdCompared;

/* Fills in codecs, n_codecs, anchors, n_anchors and model of a run whose kind is set; the run points into *compared and borrows the
 * choice. Also after an error the caller closes run->model. Errors: RSD_ERR_ARG naming the option, those of rd_model_open. */
RsdStatus rd_choose_codecs(RdRun *run, RdCompared *compared, const RdChoice *choice, RsdError *err);

#endif
