/* shared.c - paths, .npy and JSON files, and array comparison for tests.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/shared.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DIFFERENCE_TEXT_SIZE 512

/* --- paths -------------------------------------------------------------------------------------------------------- */

static const char *join(SharedPath *path, const char *folder, const char *middle, const char *relative)
{
    int len = snprintf(path->text, sizeof path->text, "%s%s%s%s", folder, middle, *relative ? "/" : "", relative);

    cr_assert(len > 0 && (size_t)len < sizeof path->text, "path too long: %s%s/%s", folder, middle, relative);
    return path->text;
}

static const char *source_folder(void)
{
    const char *folder = getenv("RESIDUA_SOURCE");

    return folder && *folder ? folder : ".";
}

const char *source_path(SharedPath *path, const char *relative)
{
    return join(path, source_folder(), "", relative);
}

const char *shared_path(SharedPath *path, const char *relative)
{
    const char *folder = getenv("RESIDUA_SHARED");

    return folder && *folder ? join(path, folder, "", relative) : join(path, source_folder(), "/../shared", relative);
}

const char *build_path(SharedPath *path, const char *relative)
{
    const char *folder = getenv("RESIDUA_BUILD");

    return folder && *folder ? join(path, folder, "", relative) : join(path, source_folder(), "/build", relative);
}

bool shared_exists(const char *relative)
{
    SharedPath path;

    return access(shared_path(&path, relative), R_OK) == 0;
}

bool shared_is_required(void)
{
    const char *ci = getenv("CI");

    return ci && (strcmp(ci, "true") == 0 || strcmp(ci, "1") == 0);
}

/* --- .npy --------------------------------------------------------------------------------------------------------- */

static void *must_alloc(size_t size)
{
    void *block = malloc(size ? size : 1);

    cr_assert(block != NULL, "out of memory for %zu bytes", size);
    return block;
}

static char *read_whole(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    char *data;
    long end;

    cr_assert(file != NULL, "cannot open %s", path);
    cr_assert(fseek(file, 0, SEEK_END) == 0 && (end = ftell(file)) >= 0, "cannot seek in %s", path);
    rewind(file);
    *size = (size_t)end;
    data = must_alloc(*size + 1);
    cr_assert(fread(data, 1, *size, file) == *size, "cannot read %s", path);
    data[*size] = '\0';
    fclose(file);
    return data;
}

static void parse_shape(Npy *npy, const char *header, const char *path)
{
    const char *at = strstr(header, "'shape': (");

    cr_assert(at != NULL, "%s: no shape in the header %s", path, header);
    at += strlen("'shape': (");
    npy->count = 1;
    while (*at && *at != ')') {
        char *end;
        long long dim = strtoll(at, &end, 10);

        cr_assert(end != at && dim >= 0 && npy->n_dims < NPY_MAX_DIMS, "%s: bad shape in %s", path, header);
        npy->shape[npy->n_dims++] = dim;
        npy->count *= dim;
        at = end + strspn(end, ", ");
    }
}

static double element(const char *at, char kind, int size)
{
    union {
        float f32;
        double f64;
    } u;

    if (kind == 'f') {
        memcpy(&u, at, (size_t)size);
        return size == 4 ? (double)u.f32 : u.f64;
    }
    return 0;
}

static int64_t integer(const char *at, char kind, int size)
{
    uint64_t value = 0;

    memcpy(&value, at, (size_t)size);
    if (kind == 'i' && size < 8 && value >> (8 * size - 1))
        value |= UINT64_MAX << 8 * size;
    return (int64_t)value;
}

void npy_load(Npy *npy, const char *path)
{
    size_t size, header_at, header_len;
    char *data = read_whole(path, &size), *header, kind, order;
    const char *descr, *values;
    int item_size;

    memset(npy, 0, sizeof *npy);
    cr_assert(size > 12 && memcmp(data, "\x93NUMPY", 6) == 0, "%s is not a .npy file", path);
    header_at = data[6] == 1 ? 10 : 12;
    header_len = (size_t)(uint8_t)data[8] | (size_t)(uint8_t)data[9] << 8;
    if (header_at == 12)
        header_len |= (size_t)(uint8_t)data[10] << 16 | (size_t)(uint8_t)data[11] << 24;
    cr_assert(header_len < size - header_at, "%s: header of %zu bytes in a file of %zu", path, header_len, size);
    header = strndup(data + header_at, header_len);
    cr_assert(header != NULL);
    descr = strstr(header, "'descr': '");
    cr_assert(descr && sscanf(descr + strlen("'descr': '"), "%c%c%d", &order, &kind, &item_size) == 3,
              "%s: no dtype in the header %s", path, header);
    cr_assert(order == '<' || order == '|', "%s: %s is not little-endian", path, header);
    cr_assert((kind == 'f' && (item_size == 4 || item_size == 8)) ||
                  (strchr("iub", kind) && (item_size == 1 || item_size == 2 || item_size == 4 || item_size == 8)),
              "%s: this reader does not know the dtype in %s", path, header);
    cr_assert(strstr(header, "'fortran_order': False"), "%s: %s is not in C order", path, header);
    parse_shape(npy, header, path);
    values = data + header_at + header_len;
    cr_assert((size_t)npy->count * (size_t)item_size == size - header_at - header_len,
              "%s: %zu bytes of values, expected %lld of %d bytes", path, size - header_at - header_len,
              (long long)npy->count, item_size);

    npy->f64 = must_alloc((size_t)npy->count * sizeof *npy->f64);
    npy->f32 = must_alloc((size_t)npy->count * sizeof *npy->f32);
    npy->i64 = kind == 'f' ? NULL : must_alloc((size_t)npy->count * sizeof *npy->i64);
    for (int64_t i = 0; i < npy->count; i++) {
        const char *at = values + i * item_size;

        if (kind != 'f')
            npy->i64[i] = integer(at, kind, item_size);
        npy->f64[i] = kind == 'f' ? element(at, kind, item_size) : (double)npy->i64[i];
        npy->f32[i] = (float)npy->f64[i];
    }
    free(header);
    free(data);
}

void npy_free(Npy *npy)
{
    free(npy->f64);
    free(npy->f32);
    free(npy->i64);
    memset(npy, 0, sizeof *npy);
}

/* --- JSON --------------------------------------------------------------------------------------------------------- */

json_t *json_file_load(const char *path)
{
    json_error_t error;
    json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, &error);

    cr_assert(root != NULL, "%s: line %d: %s", path, error.line, error.text);
    return root;
}

double json_number_at(const json_t *root, const char *path)
{
    const json_t *at = root;
    char key[256];

    for (const char *from = path; at && *from;) {
        size_t len = strcspn(from, "/");

        cr_assert(len < sizeof key, "JSON key too long in %s", path);
        memcpy(key, from, len);
        key[len] = '\0';
        at = json_object_get(at, key);
        from += len + (from[len] == '/');
    }
    cr_assert(json_is_number(at), "no number at %s", path);
    return json_number_value(at);
}

Tolerance tolerance_of(const json_t *index, const char *file)
{
    const json_t *entry = json_object_get(json_object_get(index, "files"), file);
    const json_t *tol = json_object_get(entry, "tolerance");

    cr_assert(json_is_object(tol), "no tolerance for %s in the index", file);
    return (Tolerance){.abs = json_number_value(json_object_get(tol, "abs")),
                       .rel = json_number_value(json_object_get(tol, "rel"))};
}

/* --- comparison --------------------------------------------------------------------------------------------------- */

static _Thread_local char difference_text[DIFFERENCE_TEXT_SIZE];

typedef struct Worst {
    int64_t index, n_outside;
    double actual, expected, allowed, excess;
} Worst;

static void compare_one(Worst *worst, int64_t i, double actual, double expected, double allowed)
{
    double distance = fabs(actual - expected);
    double excess = actual == expected    ? -1
                    : distance <= allowed ? -1
                    : isnan(distance)     ? INFINITY
                                          : distance / allowed;

    if (excess < 0)
        return;
    if (worst->n_outside++ == 0 || excess > worst->excess)
        *worst = (Worst){i, worst->n_outside, actual, expected, allowed, excess};
}

static const char *report(const char *what, const Worst *worst, int64_t count)
{
    if (worst->n_outside == 0)
        return NULL;
    snprintf(difference_text, sizeof difference_text,
             "%s: [%lld] is %.9g, expected %.9g, difference %.3g, tolerance %.3g; %lld of %lld values are outside",
             what, (long long)worst->index, worst->actual, worst->expected, fabs(worst->actual - worst->expected),
             worst->allowed, (long long)worst->n_outside, (long long)count);
    return difference_text;
}

const char *difference_f32(const char *what, const float *actual, const float *expected, int64_t count, Tolerance tol)
{
    Worst worst = {0};
    double largest = 0;

    for (int64_t i = 0; i < count; i++)
        largest = fmax(largest, fabs((double)expected[i]));
    for (int64_t i = 0; i < count; i++)
        compare_one(&worst, i, (double)actual[i], (double)expected[i],
                    tol.abs + tol.rel * fabs((double)expected[i]) + tol.of_max * largest);
    return report(what, &worst, count);
}

const char *difference_f64(const char *what, const double *actual, const double *expected, int64_t count, Tolerance tol)
{
    Worst worst = {0};
    double largest = 0;

    for (int64_t i = 0; i < count; i++)
        largest = fmax(largest, fabs(expected[i]));
    for (int64_t i = 0; i < count; i++)
        compare_one(&worst, i, actual[i], expected[i], tol.abs + tol.rel * fabs(expected[i]) + tol.of_max * largest);
    return report(what, &worst, count);
}

const char *difference_bits(const char *what, const float *actual, const float *expected, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        uint32_t a, e;

        memcpy(&a, &actual[i], sizeof a);
        memcpy(&e, &expected[i], sizeof e);
        if (a != e) {
            snprintf(difference_text, sizeof difference_text, "%s: [%lld] of %lld is %.9g (%08x), expected %.9g (%08x)",
                     what, (long long)i, (long long)count, (double)actual[i], a, (double)expected[i], e);
            return difference_text;
        }
    }
    return NULL;
}
