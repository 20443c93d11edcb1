/* rd_run.h - every recording or picture through every codec at every setting, and what came of it.
 *
 * What one trial is differs between sound and pictures (RdKind: rd_sound.c, rd_picture.c); threads, means, curves and
 * comparisons are the same and know the kinds by that table only.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_CLI_RD_RUN_H
#define RESIDUA_CLI_RD_RUN_H

#include <stdio.h>

#include "cli/console.h"
#include "cli/eval_set.h"
#include "cli/json_line.h"
#include "cli/rd_codec.h"
#include "engine/base/threads.h"
#include "losses/bd_rate.h"
#include "losses/interval.h"
#include "media/image.h"

#define RD_MAX_ANCHORS 4
#define RD_N_MARKS 4

typedef struct RdRun RdRun;
typedef struct RdTrials RdTrials;

/* One original in memory; cleared by the run. */
typedef struct RdThing {
    float *samples; /* sound: planar [channels, n] at the run's rate; picture: RGB [3, height, width] of `image` */
    int64_t n;
    Image *image;  /* 8 bits, no alpha; NULL for sound */
    double amount; /* seconds, or pixels */
    const char *note; /* what was done to it that people are told once; NULL: nothing */
} RdThing;

/* One thing at one setting. */
typedef struct RdTrial {
    bool is_missing; /* the thing could not be read, for this codec or another: `err` says why, and nothing counts it */
    RsdStatus status;
    RsdError err;
    int64_t n_bytes; /* of the whole file */
    double amount, encode_s, decode_s; /* processor time of one thread */
    MetricValue *values; /* [n_metrics] */
} RdTrial;

/* How one kind of things is coded, and the words for what comes out. */
typedef struct RdKind {
    const EvalKind *eval;
    const char *metrics, *anchor; /* usual ones */
    const char *rate_title;       /* "bits per pixel" */
    const char *rate_unit;        /* "bpp" */
    const char *json_rate, *csv_rate;
    double rate_scale;   /* from bits of a file by its amount to the unit */
    double json_scale;   /* from there to that of json_rate */
    bool mean_of_rates;  /* each file's rate counts the same, as published curves of pictures have it; else all bits by all of the amount */
    int rate_digits;
    const char *speed_unit, *speed_words;
    double speed_scale; /* from amount per second */
    int speed_digits;
    double marks[RD_N_MARKS]; /* rates at which curves are read off */

    /* is_alone: nothing else that is large is in memory or comes into it until this thing is cleared. Without, what is large is
     * refused with RSD_ERR_MEMORY before it takes memory. Errors: those of the readers. What is in *thing after a failure is
     * cleared by the caller. */
    RsdStatus (*open)(RdThing *thing, const char *path, const RdRun *run, bool is_alone, RsdError *err);
    /* Fills in all of *trial but status, err and amount. Any thread that has the tape for itself. Errors: those of codecs and
     * metrics. */
    RsdStatus (*try)(RdTrial *trial, const RdRun *run, const RdCodec *codec, const RdSetting *setting,
                     const RdThing *thing, Tape *tape, RsdError *err);
} RdKind;

extern const RdKind rd_kind_sound, rd_kind_picture;

/* One codec at one setting, over all things. */
typedef struct RdPoint {
    const RdCodec *codec;
    const RdSetting *setting;
    bool usable; /* nothing failed; otherwise `err` says why */
    bool too_dear; /* above max_rate, and not usable for that alone */
    RsdError err;
    double rate; /* in the kind's unit */
    double encode_speed, decode_speed, encode_s, decode_s; /* amount per second; mean seconds of one thing; of one processor */
    Interval values[EVAL_MAX_METRICS];
} RdPoint;

/* A codec against an anchor in one metric. */
typedef struct RdComparison {
    BdRate curve;  /* of the means */
    Interval each; /* percent of single things, of those where both curves overlap enough */
} RdComparison;

struct RdRun {
    /* Set by the caller. */
    const RdKind *kind;
    const char *const *paths; /* [n_files] */
    const char *shard;        /* "2/4": they are a part of what was named; NULL: all */
    size_t n_files;           /* after the run: n_missing of them count for nothing */
    const EvalSet *set;
    const RdCodec *codecs; /* [n_codecs] */
    size_t n_codecs, anchors[RD_MAX_ANCHORS], n_anchors;
    RdModel model; /* empty: ours is not among the codecs */
    MetricAids aids;
    int rate_hz, channels; /* of sound */
    double seconds;        /* of each recording, from its start */
    double max_rate;       /* points above are left out; 0: none */
    RdTrials *trials;      /* where they are kept (cli/rd_trials.h), or NULL */
    Console *console;
    /* Results. */
    RdPoint *points; /* [n_points], codec by codec in the order of their settings */
    size_t n_points;
    RdComparison *comparisons; /* [n_anchors, n_codecs, n_metrics] */
    double *at_marks;          /* [n_codecs, n_metrics, RD_N_MARKS]; NaN where the curve does not reach */
    Interval *each_at_marks;   /* the same of each file's own curve, over the files that every codec reaches there */
    double total_amount;
    size_t n_missing;
};

/* Values do not depend on the number of threads (the times do, a little). Errors: RSD_ERR_MEMORY (also for a thing alone),
 * RSD_ERR_CORRUPT (nothing could be read). What cannot be read is left out for all codecs, so that they are compared over the same
 * things, and a point that fails for one thing is not usable; the console is told. */
RsdStatus rd_run(RdRun *run, RsdThreads *threads, RsdError *err);
void rd_run_clear(RdRun *run);

/* Whether more of it is better, or less: of a metric that is best near 0 nothing is read off curves and no rates are compared. */
bool rd_is_quality(const RdRun *run, size_t metric);
const RdComparison *rd_comparison(const RdRun *run, size_t anchor, size_t codec, size_t metric);
/* At one of the kind's marks; NaN of what is no quality. */
double rd_at_mark(const RdRun *run, size_t codec, size_t metric, size_t mark);
/* Each file's own curve read off at the mark, over those files that every codec of the run reaches there (n is the same for all that
 * coded anything). A codec's dial may be a rate, which is then that of every file, or a quality, at which rates differ by file; of the
 * means at its settings the one is a mean at one rate and the other is not, so rd_at_mark does not compare like with like, and this
 * does. */
const Interval *rd_each_at_mark(const RdRun *run, size_t codec, size_t metric, size_t mark);

/* Processor time of this thread. */
double rd_thread_time_s(void);

/* How many files those of rd_each_at_mark are. */
size_t rd_count_at_mark(const RdRun *run, size_t metric, size_t mark);

/* rd_print.c */
void rd_print_table(const RdRun *run, FILE *out);
void rd_print_csv(const RdRun *run, FILE *out);
void rd_print_json(const RdRun *run, FILE *out);
/* Fields of a comparison, as in --json and in the page. */
void rd_json_comparison(JsonLine *line, const RdComparison *both);
/* rd_svg.c: a picture of the curves, one panel for each metric. */
void rd_print_svg(const RdRun *run, FILE *out);
/* rd_report.c: for report_write; ctx is the RdRun. */
RsdStatus rd_fill_report(void *ctx, JsonLine *data, RsdError *err);

#endif
