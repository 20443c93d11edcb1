/* eval_detail.h - what a page shows of one pair besides its values: numbers, and pictures or sounds as data URIs.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_CLI_EVAL_DETAIL_H
#define RESIDUA_CLI_EVAL_DETAIL_H

#include <stddef.h>

#include "cli/json_line.h"

typedef struct DetailNumber {
    const char *key;
    double value;
    int n_digits;
} DetailNumber;

typedef struct DetailFile {
    const char *key, *type; /* "ref_wav", "audio/wav" */
    uint8_t *bytes;
    size_t size;
} DetailFile;

#define DETAIL_MAX 8
typedef struct EvalDetail {
    DetailNumber numbers[DETAIL_MAX];
    DetailFile files[DETAIL_MAX];
    size_t n_numbers, n_files;
} EvalDetail;

/* Keys and types are constants. */
void eval_detail_number(EvalDetail *detail, const char *key, double value, int n_digits);
/* A place for bytes (mem_alloc) and their size, which the detail owns from now on. */
DetailFile *eval_detail_file(EvalDetail *detail, const char *key, const char *type);
/* As fields of an object that is open. */
void eval_detail_write(JsonLine *data, const EvalDetail *detail);
void eval_detail_clear(EvalDetail *detail);

#endif
