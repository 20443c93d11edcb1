/* eval_detail.c - two short lists.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cli/eval_detail.h"

#include <assert.h>

#include "engine/base/mem.h"

void eval_detail_number(EvalDetail *detail, const char *key, double value, int n_digits)
{
    assert(detail->n_numbers < DETAIL_MAX);
    detail->numbers[detail->n_numbers++] = (DetailNumber){key, value, n_digits};
}

DetailFile *eval_detail_file(EvalDetail *detail, const char *key, const char *type)
{
    assert(detail->n_files < DETAIL_MAX);
    detail->files[detail->n_files] = (DetailFile){.key = key, .type = type};
    return &detail->files[detail->n_files++];
}

void eval_detail_write(JsonLine *data, const EvalDetail *detail)
{
    for (size_t i = 0; i < detail->n_numbers; i++)
        json_line_number(data, detail->numbers[i].key, detail->numbers[i].value, detail->numbers[i].n_digits);
    for (size_t i = 0; i < detail->n_files; i++)
        json_line_data_uri(data, detail->files[i].key, detail->files[i].type, detail->files[i].bytes, detail->files[i].size);
}

void eval_detail_clear(EvalDetail *detail)
{
    for (size_t i = 0; i < detail->n_files; i++)
        mem_free(&detail->files[i].bytes);
    *detail = (EvalDetail){0};
}
