/* eval_kind.c - which kind a file is of, and what all kinds share.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cli/eval_kind.h"

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

void eval_measure(EvalResult *r, const Pair *pair, const EvalSet *set, const EvalOptions *options, Tape *tape)
{
    *r = (EvalResult){0};
    if (eval_kind_of(pair->dist) != pair->kind)
        r->status = error_set(&r->err, RSD_ERR_UNSUPPORTED, "%s is a %s and %s is a %s: they cannot be compared", pair->ref,
                              pair->kind->thing, pair->dist, eval_kind_of(pair->dist)->thing);
    else
        r->status = pair->kind->measure(r, pair, set, options, tape, &r->err);
}

void eval_result_clear(EvalResult *r)
{
    mem_free(&r->values);
    mem_free(&r->each);
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
