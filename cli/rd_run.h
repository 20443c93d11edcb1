/* rd_run.h - every recording through every codec at every setting, and what came of it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_CLI_RD_RUN_H
#define RESIDUA_CLI_RD_RUN_H

#include "cli/console.h"
#include "cli/eval_set.h"
#include "cli/json_line.h"
#include "cli/rd_codec.h"
#include "engine/base/threads.h"
#include "losses/bd_rate.h"
#include "losses/interval.h"
#include "trainer/media_list.h"

#define RD_MAX_CODECS 16

/* One codec at one setting, over all recordings. */
typedef struct RdPoint {
    const RdCodec *codec;
    const RdSetting *setting;
    bool usable; /* no recording failed; otherwise `err` says why */
    RsdError err;
    double kbps;                       /* all bytes by all seconds */
    double encode_speed, decode_speed; /* seconds of sound for each second of one processor */
    Interval values[EVAL_MAX_METRICS];
} RdPoint;

typedef struct RdRun {
    /* Set by the caller. */
    const MediaList *files;
    const EvalSet *set;
    const RdCodec *codecs; /* [n_codecs] */
    size_t n_codecs, anchor;
    const RsdModel *model; /* NULL: ours is not among the codecs */
    MetricAids aids;
    int rate_hz, channels;
    double seconds; /* of each recording, from its start */
    Console *console;
    /* Results. */
    RdPoint *points; /* [n_points], codec by codec in the order of their settings */
    size_t n_points;
    BdRate bd[RD_MAX_CODECS][EVAL_MAX_METRICS]; /* against the anchor */
    double total_s;
} RdRun;

/* Values do not depend on the number of threads (the times do, a little). Errors: RSD_ERR_MEMORY, those of the readers. */
RsdStatus rd_run(RdRun *run, RsdThreads *threads, RsdError *err);
void rd_run_clear(RdRun *run);

/* rd_print.c: on standard output. */
void rd_print_table(const RdRun *run);
void rd_print_csv(const RdRun *run);
void rd_print_json(const RdRun *run);
/* For report_write; ctx is the RdRun. */
RsdStatus rd_fill_report(void *ctx, JsonLine *data, RsdError *err);

#endif
