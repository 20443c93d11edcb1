/* eval_kind.c - which kind a file is of, and what all kinds share.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cli/eval_kind.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/mem.h"
#include "media/image_reader.h"
#include "trainer/media_list.h"

#define HEAD_SIZE 16

static const EvalKind *const kinds[EVAL_N_KINDS] = {&eval_kind_audio, &eval_kind_image};

const EvalKind *eval_kind_at(size_t i)
{
    return i < EVAL_N_KINDS ? kinds[i] : NULL;
}

const EvalKind *eval_kind_of(const char *path)
{
    FILE *file = fopen(path, "rb");
    uint8_t head[HEAD_SIZE];
    size_t size = file ? fread(head, 1, sizeof head, file) : 0;

    if (file)
        fclose(file);
    return image_format_of(head, size) || image_is_picture_name(path) ? &eval_kind_image : &eval_kind_audio;
}

bool eval_kind_accepts(const char *path)
{
    return media_list_is_recording(path) || image_is_picture_name(path);
}

RsdStatus eval_turn_open(EvalTurn *turn, RsdError *err)
{
    RsdStatus status = RSD_OK;

    *turn = (EvalTurn){.mutex = PTHREAD_MUTEX_INITIALIZER};
    TRY(rsd_threads_create(&turn->threads, 1, err));
    TRY(tape_create(&turn->tape, turn->threads, 0, err));
    return RSD_OK;
fail:
    eval_turn_close(turn);
    return status;
}

void eval_turn_close(EvalTurn *turn)
{
    tape_destroy(&turn->tape);
    rsd_threads_destroy(&turn->threads);
}

static RsdStatus summarise_places(EvalResult *r, const EvalSet *set, RsdError *err)
{
    double *finite = NULL;
    RsdStatus status = RSD_OK;

    TRY(mem_calloc(&r->place_quantiles, set->n, sizeof *r->place_quantiles, err));
    TRY(mem_alloc(&finite, (size_t)r->places.n, sizeof *finite, err));
    for (size_t m = 0; m < set->n; m++) {
        size_t n = 0;

        for (int64_t i = 0; i < r->places.n; i++) {
            const MetricValue *value = &r->places.values[(size_t)i * set->n + m];

            if (!value->flags && isfinite(value->value))
                finite[n++] = value->value;
        }
        r->place_quantiles[m] = quantiles_of(finite, n);
    }
fail:
    mem_free(&finite);
    return status;
}

void eval_measure(EvalResult *r, const Pair *pair, const EvalSet *set, const EvalOptions *options, Tape *tape)
{
    *r = (EvalResult){0};
    if (eval_kind_of(pair->dist) != pair->kind)
        r->status = error_set(&r->err, RSD_ERR_UNSUPPORTED, "%s is a %s and %s is a %s: they cannot be compared", pair->ref,
                              pair->kind->thing, pair->dist, eval_kind_of(pair->dist)->thing);
    else
        r->status = pair->kind->measure(r, pair, set, options, tape, &r->err);
    if (r->status == RSD_OK && r->places.n)
        r->status = summarise_places(r, set, &r->err);
}

void eval_result_clear(EvalResult *r)
{
    mem_free(&r->values);
    mem_free(&r->each);
    mem_free(&r->places.values);
    mem_free(&r->place_quantiles);
    mem_free(&r->bands.values);
}

RsdStatus eval_parts_open(EvalParts *parts, int64_t n, const EvalSet *set, RsdError *err)
{
    RsdStatus status = RSD_OK;

    CHECK(n <= EVAL_MAX_PART_VALUES / (int64_t)set->n, err, RSD_ERR_ARG,
          "%lld parts of %zu metrics are more than %d values; ask for longer frames, larger tiles or fewer metrics", (long long)n,
          set->n, EVAL_MAX_PART_VALUES);
    TRY(mem_calloc(&parts->values, (size_t)n * set->n, sizeof *parts->values, err));
    parts->n = n;
fail:
    return status;
}

void eval_note(char notes[EVAL_NOTES_SIZE], const char *format, ...)
{
    size_t used = notes ? strlen(notes) : 0;
    va_list args;

    if (!notes || used + 2 > EVAL_NOTES_SIZE)
        return;
    va_start(args, format);
    vsnprintf(notes + used, EVAL_NOTES_SIZE - used - 1, format, args);
    va_end(args);
    strcat(notes, "\n");
}
