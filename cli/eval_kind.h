/* eval_kind.h - what `residua eval` can compare: recordings and pictures. A kind knows its metrics, reads and measures a pair,
 * and tells what besides metrics there is to say of one. Threads, means, limits, table, JSON, CSV and page are the same for
 * all kinds and know them by this table only.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_CLI_EVAL_KIND_H
#define RESIDUA_CLI_EVAL_KIND_H

#include <pthread.h>

#include "cli/eval_detail.h"
#include "cli/eval_set.h"
#include "cli/json_line.h"
#include "cli/pairs.h"
#include "engine/tape.h"
#include "losses/align.h"
#include "losses/image_nets.h"
#include "losses/loudness.h"
#include "losses/quantiles.h"

#define EVAL_NOTES_SIZE 512

/* Large pairs are in memory one at a time: who has the turn measures with its tape, so that memory does not grow with the threads. */
typedef struct EvalTurn {
    pthread_mutex_t mutex;
    RsdThreads *threads;
    Tape *tape;
} EvalTurn;

/* Errors: RSD_ERR_MEMORY. */
RsdStatus eval_turn_open(EvalTurn *turn, RsdError *err);
void eval_turn_close(EvalTurn *turn);

typedef struct EvalOptions {
    double rate_hz; /* of recordings; 0: that of the reference */
    double max_delay_s;
    bool no_align;
    MetricAids aids;
    const ImageNets *nets; /* of pictures; NULL: none */
    double frame_s;        /* of recordings: values of stretches of this length too; 0: none */
    int64_t tile_side;     /* of pictures: values of tiles of this many pixels a side too; 0: none */
    EvalTurn *turn;        /* of large pairs; NULL: there is one pair */
} EvalOptions;

/* Values of parts of a pair, each as if it were measured alone. */
typedef struct EvalParts {
    int64_t n;
    MetricValue *values; /* [n, n_metrics] */
} EvalParts;
#define EVAL_MAX_PART_VALUES 10000000 /* of one pair */

/* What is said of a pair besides its metrics. */
typedef struct EvalAudioFacts {
    int rate_hz;
    int64_t n_ref, n_dist, n_common;
    Alignment alignment;
    Loudness ref_loudness, dist_loudness;
    int64_t frame_len; /* samples; the last frame takes the rest too */
} EvalAudioFacts;

typedef struct EvalImageFacts {
    int64_t width, height;
    int ref_bits, dist_bits; /* of the samples in the files */
    char ref_format[16], dist_format[16];
    bool has_alpha;          /* of one of them at least */
    double alpha_l1;         /* mean absolute difference of alpha */
    int64_t tile_side, n_tile_columns; /* the last column and row take the rest too */
} EvalImageFacts;

/* What came out; without samples, so that thousands can be kept. */
typedef struct EvalResult {
    RsdStatus status;
    RsdError err;
    char notes[EVAL_NOTES_SIZE]; /* what was changed before the comparison; lines that end with '\n' */
    int channels;
    MetricValue *values; /* [n_metrics] */
    MetricValue *each;   /* [channels, n_metrics] */
    EvalParts places;    /* frames in time, or tiles by rows, if they were asked for */
    Quantiles *place_quantiles; /* [n_metrics]: over the places, without conventions and infinite values */
    EvalParts bands;     /* of frequency, for the metrics that have them; the others do not apply */
    union {
        EvalAudioFacts audio;
        EvalImageFacts image;
    };
} EvalResult;

#define EVAL_TEXT_SIZE 64
struct EvalKind {
    const char *name;   /* "audio": key of --json, value of --kind */
    const char *things; /* "recordings" */
    const char *thing;  /* "recording" */
    const char *rank;   /* the metric that says which pairs are worst when none was chosen */
    const char *tiny;   /* words for METRIC_TOO_SHORT */

    /* The i-th metric; false past the end. */
    bool (*metric_at)(EvalMetric *metric, size_t i);
    /* RSD_ERR_ARG with the remedy when something that the metric needs was not given. */
    RsdStatus (*metric_check)(const EvalMetric *metric, const EvalOptions *options, RsdError *err);

    /* Fills in all but status and err. tape: memory and threads of the work. Errors: those of the readers and metrics. */
    RsdStatus (*measure)(EvalResult *r, const Pair *pair, const EvalSet *set, const EvalOptions *options, Tape *tape,
                         RsdError *err);

    /* Table: the column before the metrics, and the lines under the name of a single pair. */
    const char *column;
    const char *(*column_text)(char text[EVAL_TEXT_SIZE], const EvalResult *r);
    void (*print_facts)(const EvalResult *r);
    const char *(*channel_name)(char text[EVAL_TEXT_SIZE], const EvalResult *r, int channel);
    const char *places; /* "frames": key of --json */
    const char *(*place_name)(char text[EVAL_TEXT_SIZE], const EvalResult *r, int64_t place);
    const char *(*band_name)(char text[EVAL_TEXT_SIZE], const EvalResult *r, int64_t band);
    void (*json_places)(JsonLine *line, const EvalResult *r); /* what is needed to know where they are */
    void (*json_facts)(JsonLine *line, const EvalResult *r);
    const char *csv_columns; /* after name and channel, each with a comma before it */
    void (*csv_facts)(const EvalResult *r);

    /* Page: what it shows of a pair, under this key of docs/report.md. The caller clears *detail, after a failure too.
     * Errors: those of the readers, RSD_ERR_UNSUPPORTED (no libpng), RSD_ERR_MEMORY. */
    const char *detail_key;
    RsdStatus (*detail)(EvalDetail *detail, const Pair *pair, const EvalOptions *options, RsdError *err);
};

extern const EvalKind eval_kind_audio, eval_kind_image;

/* i-th kind, NULL past the end. */
const EvalKind *eval_kind_at(size_t i);
#define EVAL_N_KINDS 2
/* By the first bytes of a file; where they say nothing, by the ending of its name. */
const EvalKind *eval_kind_of(const char *path);
/* True for names that end like those of a recording or a picture. */
bool eval_kind_accepts(const char *path);

/* Everything about one pair. result->status tells whether it went well. Any thread that has the tape for itself. */
void eval_measure(EvalResult *result, const Pair *pair, const EvalSet *set, const EvalOptions *options, Tape *tape);
void eval_result_clear(EvalResult *result);
/* Makes room for n parts. Errors: RSD_ERR_ARG (more than EVAL_MAX_PART_VALUES values), RSD_ERR_MEMORY. */
RsdStatus eval_parts_open(EvalParts *parts, int64_t n, const EvalSet *set, RsdError *err);
/* Adds a line to notes, which may be NULL. */
void eval_note(char notes[EVAL_NOTES_SIZE], const char *format, ...) RSD_PRINTF(2, 3);

#endif
