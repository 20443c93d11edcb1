/* state_files.c - what two checkpoints or model files have in common, array by array.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/trainer/state_files.h"

#include <math.h>
#include <string.h>

#include <criterion/criterion.h>

#include "engine/weights/safetensors.h"

void state_files_expect_same(const char *path_a, const char *path_b, size_t least)
{
    Safetensors *a, *b;
    RsdError err = {0};

    cr_assert_eq(safetensors_open(&a, path_a, &err), RSD_OK, "%s", err.text);
    cr_assert_eq(safetensors_open(&b, path_b, &err), RSD_OK, "%s", err.text);
    cr_assert_eq(safetensors_count(a), safetensors_count(b));
    cr_assert_gt(safetensors_count(a), least);
    for (size_t i = 0; i < safetensors_count(a); i++) {
        const SafetensorsEntry *x = safetensors_entry(a, i), *y = safetensors_find(b, x->name);

        cr_assert_not_null(y, "%s", x->name);
        cr_assert_eq(x->size, y->size);
        cr_expect_eq(memcmp(x->data, y->data, x->size), 0, "%s differs", x->name);
    }
    cr_expect_str_eq(safetensors_metadata(a, "train.step"), safetensors_metadata(b, "train.step"));
    cr_expect_str_eq(safetensors_metadata(a, "train.updates"), safetensors_metadata(b, "train.updates"));
    safetensors_close(&a);
    safetensors_close(&b);
}

int state_files_count_changed(const char *path_a, const char *path_b, const char *part)
{
    Safetensors *a, *b;
    int n = 0, n_changed = 0;

    cr_assert_eq(safetensors_open(&a, path_a, NULL), RSD_OK);
    cr_assert_eq(safetensors_open(&b, path_b, NULL), RSD_OK);
    for (size_t i = 0; i < safetensors_count(a); i++) {
        const SafetensorsEntry *x = safetensors_entry(a, i), *y = safetensors_find(b, x->name);

        if (!strstr(x->name, part))
            continue;
        cr_assert_not_null(y, "%s", x->name);
        n++;
        n_changed += memcmp(x->data, y->data, x->size) != 0;
    }
    cr_expect_gt(n, 0, "no array is called %s", part);
    safetensors_close(&a);
    safetensors_close(&b);
    return n_changed;
}

double state_files_apart(const char *path_a, const char *path_b)
{
    Safetensors *a, *b;
    double most = 0.0, scale = 0.0;

    cr_assert_eq(safetensors_open(&a, path_a, NULL), RSD_OK);
    cr_assert_eq(safetensors_open(&b, path_b, NULL), RSD_OK);
    for (size_t i = 0; i < safetensors_count(a); i++) {
        const SafetensorsEntry *x = safetensors_entry(a, i), *y = safetensors_find(b, x->name);
        const float *u = (const void *)x->data, *v = (const void *)y->data;

        if (strncmp(x->name, "model.", 6) || x->dtype != DTYPE_F32)
            continue;
        for (size_t j = 0; j < x->size / sizeof *u; j++) {
            most = fmax(most, fabs((double)u[j] - (double)v[j]));
            scale = fmax(scale, fabs((double)u[j]));
        }
    }
    safetensors_close(&a);
    safetensors_close(&b);
    return most / scale;
}
