/* eval_audio.h - one recording and its reconstruction: read in one form and aligned.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_CLI_EVAL_AUDIO_H
#define RESIDUA_CLI_EVAL_AUDIO_H

#include "cli/eval_kind.h"

/* Both recordings in one form. */
typedef struct EvalSignals {
    float *ref, *dist; /* planar [channels, n_ref], [channels, n_dist] */
    int64_t n_ref, n_dist;
    int rate_hz, channels;
    Alignment alignment;
    int64_t ref_from, dist_from, n_common; /* what both have */
    EvalTurn *turn;                        /* held until they are cleared; NULL: they are not large */
} EvalSignals;

/* Reads and aligns; says in notes (may be NULL) what had to be changed. A large pair waits for its turn. Errors: those of the reader;
 * RSD_ERR_CORRUPT (nothing in common), RSD_ERR_MEMORY (too long among them). */
RsdStatus eval_signals_load(EvalSignals *signals, const Pair *pair, const EvalOptions *options,
                            char notes[EVAL_NOTES_SIZE], RsdError *err);
void eval_signals_clear(EvalSignals *signals);

/* report_sound.c: what the page shows, of the excerpt of at most REPORT_EXCERPT_S with the most error: fields of "sound" in
 * docs/report.md. */
#define REPORT_EXCERPT_S 10.0
RsdStatus sound_detail(EvalDetail *detail, const Pair *pair, const EvalOptions *options, RsdError *err);

#endif
