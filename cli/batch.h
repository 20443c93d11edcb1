/* batch.h - many inputs, one output each: which output belongs to which input, and the loop over them.
 *
 * A failing input is reported and the next one follows. A signal that ends the program leaves no partial file.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_CLI_BATCH_H
#define RESIDUA_CLI_BATCH_H

#include "cli/commands.h"
#include "cli/json_line.h"
#include "cli/shard.h"

typedef struct BatchItem {
    char *input, *output; /* "-" is standard input or output */
    RsdStatus status;     /* of the planning: such an item is only reported */
    char *problem;        /* the sentence for it, or NULL */
} BatchItem;

typedef struct Batch {
    BatchItem *items; /* in the order given; those of a folder sorted */
    size_t n_items, capacity;
} Batch;

typedef struct BatchOptions {
    const Command *command;
    char **inputs;
    size_t n_inputs;
    const char *output, *output_dir; /* NULL: beside the input */
    bool recursive;
    bool to_stdout;                    /* what comes from standard input goes to standard output unless -o is given */
    const char *suffix;                /* takes the place of the input's ending: ".rsd" */
    const char *(*suffix_of)(const void *ctx, const char *path); /* the same for each input; NULL: `suffix` for all */
    const void *ctx;
    const char *const *shard; /* what --shard says, NULL for commands without that option */
    bool (*accepts)(const char *path); /* files of folders; what is named itself is always taken */
} BatchOptions;

/* What one input came to; for the line at the end and --json. */
typedef struct BatchResult {
    double seconds;  /* of sound */
    int64_t n_bytes; /* of the .rsd stream */
    double bitrate_bps;
    int64_t n_pixels; /* of a picture; then there is no sound */
    char details[256]; /* shown behind the names, may be empty */
} BatchResult;

/* Does one item; adds its own fields to *json when that is not NULL. */
typedef RsdStatus (*BatchWork)(void *ctx, const BatchItem *item, BatchResult *result, JsonLine *json, RsdError *err);

/* *code is EXIT_USAGE after a sentence when the options contradict each other. Errors: RSD_ERR_MEMORY. */
RsdStatus batch_plan(Batch **out, const BatchOptions *options, int *code, RsdError *err);
void batch_destroy(Batch **batch);
/* Leaves the inputs of one part. */
void batch_keep_shard(Batch *batch, const Shard *shard);

/* What a command over a batch is, once its options are parsed: plans, refuses --json beside `product` on standard output, calls
 * all (which may set *code, or call batch_run), says what went wrong, closes the console. Returns the exit code. */
typedef RsdStatus (*BatchAll)(void *ctx, const Batch *batch, Console *console, int *code, RsdError *err);
int batch_command(const BatchOptions *plan, const char *product, bool json, BatchAll all, void *ctx, Console *console);
/* Whether the result of the first input goes to standard output. */
bool batch_to_stdout(const Batch *batch);

/* For BatchOptions.accepts: *.rsd, *.ecdc and *.dac. */
bool batch_is_stream_name(const char *path);
bool batch_is_rsd_name(const char *path); /* *.rsd alone */

/* Returns the exit code: of the only input its own, of several EXIT_SOME_FAILED if any failed. */
int batch_run(const Batch *batch, BatchWork work, void *ctx, bool json, Console *console);

/* While deferred, the first Ctrl-C is only noted: work ends early with what it has, batch_run leaves the inputs that follow and returns
 * EXIT_INTERRUPTED. The second ends the program at once, as the first does at other times. */
void batch_defer_interrupt(bool deferred);
/* The same until batch_defer_interrupt(false), for a pipe on standard input alone: the first Ctrl-C ends it, as if whoever writes had. */
void batch_end_input_at_interrupt(const BatchItem *item);
bool batch_was_interrupted(void);

/* RSD_ERR_ARG when both are the same file: what is read is not replaced, with -f neither. */
RsdStatus batch_check_not_itself(const char *input, const char *output, RsdError *err);

/* "12%  3:04 of 25:00  85 times real time  0:20 left" for the item in work; total_s below 0 when unknown. */
void batch_progress(Console *console, const BatchItem *item, double done_s, double total_s, double started_s);

#endif
