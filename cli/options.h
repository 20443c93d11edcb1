/* options.h - one table per command, from which parsing, --help, the manual page and shell completion are made.
 *
 * An option names the field of the command's request that it fills in, so a command has no parsing code of its own:
 *
 *     typedef struct Request { CommonRequest common; double bitrate_bps; } Request;
 *     static const Option OPTIONS[] = {
 *         {.letter = 'b', .name = "bitrate", .kind = OPTION_QUANTITY, .value = "RATE", .help = "...",
 *          .offset = offsetof(Request, bitrate_bps), .unit = UNIT_BITRATE, .min = 1, .max = 1e6},
 *         COMMON_OPTIONS(Request),
 *     };
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_CLI_OPTIONS_H
#define RESIDUA_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "engine/base/error.h"
#include "engine/base/text.h"

#define MAX_LIST 64 /* values of one repeated option */

typedef struct TextList {
    const char *items[MAX_LIST];
    size_t n;
} TextList;

/* What an option stores, and the type of its field. */
typedef enum OptionKind {
    OPTION_SWITCH,   /* bool */
    OPTION_TEXT,     /* const char * */
    OPTION_LIST,     /* TextList; a value that ends in "..." takes all names up to the next option */
    OPTION_COUNT,    /* int, min to max */
    OPTION_QUANTITY, /* double with a unit, min to max */
    OPTION_CHOICE    /* int: index of the word in choices */
} OptionKind;

typedef struct Option {
    char letter; /* 0: long form only; a switch and an OPTION_COUNT may share one: the second is meant where a whole number follows */
    const char *name, *value, *help;
    OptionKind kind;
    size_t offset;
    Unit unit;
    double min, max;
    const char *const *choices; /* ends with NULL */
} Option;

/* What every command understands. */
typedef struct CommonRequest {
    bool quiet, verbose, help;
} CommonRequest;

#define COMMON_OPTIONS(Request)                                                                                        \
    {.letter = 'q', .name = "quiet", .help = "errors and warnings only", .offset = offsetof(Request, common.quiet)},   \
        {.letter = 'v', .name = "verbose", .help = "say more", .offset = offsetof(Request, common.verbose)},           \
    {                                                                                                                  \
        .letter = 'h', .name = "help", .help = "this help", .offset = offsetof(Request, common.help)                   \
    }

/* For a Request with an int n_threads. */
#define MAX_THREADS 256
#define THREADS_OPTION(Request, text)                                                                                  \
    {                                                                                                                  \
        .letter = 't', .name = "threads", .kind = OPTION_COUNT, .value = "N", .min = 0, .max = MAX_THREADS,            \
        .offset = offsetof(Request, n_threads), .help = text                                                           \
    }

/* A line of text and what it means: examples, fields of --json. */
typedef struct Explained {
    const char *text, *meaning;
} Explained;

typedef struct Command {
    const char *name, *summary;
    const char *usage;       /* what follows "residua NAME" */
    const char *description; /* sentences; paragraphs are divided by an empty line */
    const Option *options;
    size_t n_options;
    const Explained *examples;         /* ends with a NULL text; text follows "residua NAME " */
    const Explained *json;             /* fields of --json, NULL without that option */
    const char *endings;               /* of operands, for completion: "rsd|wav"; NULL: any file */
    int (*run)(int argc, char **argv); /* argv[0] is the command's name; returns an exit code */
} Command;

/* Fills in *request and moves the operands to argv[0 .. *n_operands - 1]. Options may follow operands; "--" ends them;
 * "-" is an operand; switches may be bundled (-fq) and values attached (-b3k, --bitrate=3k). Fields of options that are
 * not given stay as they are. Errors: RSD_ERR_ARG, naming the option and the nearest known one. */
RsdStatus options_parse(const Command *command, void *request, int argc, char **argv, size_t *n_operands,
                        RsdError *err);

#endif
