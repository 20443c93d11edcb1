/* npy.c - a parser for the one Python dictionary that a header is.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/weights/npy.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/bytes.h"

#define MAGIC "\x93NUMPY"
#define MAGIC_SIZE 6
#define MAX_COUNT ((int64_t)1 << 40)
#define ALIGN 64

RsdStatus npy_probe(size_t *size, const uint8_t prefix[NPY_PREFIX_SIZE], RsdError *err)
{
    RsdStatus status = RSD_OK;

    CHECK(memcmp(prefix, MAGIC, MAGIC_SIZE) == 0, err, RSD_ERR_CORRUPT,
          "no .npy file: it begins with %02x %02x %02x, expected 93 4e 55", prefix[0], prefix[1], prefix[2]);
    CHECK(prefix[6] >= 1 && prefix[6] <= 3, err, RSD_ERR_UNSUPPORTED, ".npy version %d.%d; 1.0 to 3.0 are known", prefix[6],
          prefix[7]);
    *size = prefix[6] == 1 ? 10 + (size_t)get_u16le(prefix + 8) : 12 + (size_t)get_u32le(prefix + 8);
    CHECK(*size > NPY_PREFIX_SIZE && *size <= NPY_HEADER_MAX, err, RSD_ERR_CORRUPT,
          ".npy header of %zu bytes; at most %d are possible", *size, NPY_HEADER_MAX);
fail:
    return status;
}

/* ---- the dictionary ---- */

typedef struct Text {
    const char *at, *end;
} Text;

static void skip_spaces(Text *t)
{
    while (t->at < t->end && (*t->at == ' ' || *t->at == '\n' || *t->at == '\t'))
        t->at++;
}

static bool take(Text *t, const char *word)
{
    size_t len = strlen(word);

    skip_spaces(t);
    if ((size_t)(t->end - t->at) < len || memcmp(t->at, word, len) != 0)
        return false;
    t->at += len;
    return true;
}

/* 'text' or "text" of fewer than `size` characters. */
static bool take_string(Text *t, char *out, size_t size)
{
    char quote;
    size_t n = 0;

    skip_spaces(t);
    if (t->at == t->end || (*t->at != '\'' && *t->at != '"'))
        return false;
    quote = *t->at++;
    while (t->at < t->end && *t->at != quote && n + 1 < size)
        out[n++] = *t->at++;
    out[n] = '\0';
    return t->at < t->end && *t->at++ == quote;
}

static bool take_number(Text *t, int64_t *out)
{
    int n_digits = 0;

    skip_spaces(t);
    *out = 0;
    for (; t->at < t->end && *t->at >= '0' && *t->at <= '9' && n_digits < 15; n_digits++)
        *out = *out * 10 + (*t->at++ - '0');
    (void)take(t, "L"); /* Python 2 */
    return n_digits > 0 && n_digits < 15;
}

static bool take_shape(Text *t, NpyHeader *header)
{
    header->n_dims = 0;
    if (!take(t, "("))
        return false;
    while (!take(t, ")")) {
        if (header->n_dims == NPY_MAX_AXES || !take_number(t, &header->shape[header->n_dims]))
            return false;
        header->n_dims++;
        if (!take(t, ",")) /* (5) would be a number, not a tuple, but does no harm */
            return take(t, ")");
    }
    return true;
}

static bool take_descr(Text *t, NpyHeader *header)
{
    char descr[16];
    int size = 0, used = 0;

    if (!take_string(t, descr, sizeof descr) || strlen(descr) < 2 || !strchr("<>|=", descr[0]))
        return false;
    header->big_endian = descr[0] == '>';
    header->type = descr[1];
    if (descr[1] == 'O' && (descr[2] == '\0' || descr[2] == '8'))
        return true;
    header->item_size = sscanf(descr + 2, "%2d%n", &size, &used) == 1 && descr[2 + used] == '\0' ? size : 0;
    return (strchr("ui", descr[1]) && (size == 1 || size == 2 || size == 4 || size == 8)) ||
           (descr[1] == 'f' && (size == 2 || size == 4 || size == 8)) || (descr[1] == 'b' && size == 1);
}

RsdStatus npy_parse(NpyHeader *header, const uint8_t *data, size_t size, RsdError *err)
{
    Text t = {(const char *)data + (data[6] == 1 ? 10 : 12), (const char *)data + size};
    bool has_descr = false, has_order = false, has_shape = false;
    RsdStatus status = RSD_OK;

    memset(header, 0, sizeof *header);
    header->size = size;
    CHECK(take(&t, "{"), err, RSD_ERR_CORRUPT, ".npy header is no dictionary");
    while (!take(&t, "}")) {
        char key[16];

        CHECK(take_string(&t, key, sizeof key) && take(&t, ":"), err, RSD_ERR_CORRUPT, ".npy header: a key is damaged");
        if (strcmp(key, "descr") == 0) {
            CHECK(take_descr(&t, header), err, RSD_ERR_UNSUPPORTED, ".npy header: 'descr' is no plain kind of number");
            has_descr = true;
        } else if (strcmp(key, "fortran_order") == 0) {
            header->fortran_order = take(&t, "True");
            CHECK(header->fortran_order || take(&t, "False"), err, RSD_ERR_CORRUPT,
                  ".npy header: 'fortran_order' is neither True nor False");
            has_order = true;
        } else if (strcmp(key, "shape") == 0) {
            CHECK(take_shape(&t, header), err, RSD_ERR_CORRUPT, ".npy header: 'shape' is no list of at most %d lengths",
                  NPY_MAX_AXES);
            has_shape = true;
        } else {
            CHECK(false, err, RSD_ERR_CORRUPT, ".npy header: unknown key '%s'", key);
        }
        if (!take(&t, ",")) {
            CHECK(take(&t, "}"), err, RSD_ERR_CORRUPT, ".npy header: the dictionary does not end");
            break;
        }
    }
    CHECK(has_descr && has_order && has_shape, err, RSD_ERR_CORRUPT, ".npy header: '%s' is missing",
          !has_descr ? "descr" : !has_order ? "fortran_order" : "shape");
    header->count = 1;
    for (int i = 0; i < header->n_dims; i++) {
        CHECK(header->shape[i] == 0 || header->count <= MAX_COUNT / header->shape[i], err, RSD_ERR_CORRUPT,
              ".npy header: more than 2^40 numbers");
        header->count *= header->shape[i];
    }
fail:
    return status;
}

size_t npy_write(uint8_t dst[NPY_HEADER_MAX], const char *descr, int n_dims, const int64_t *shape)
{
    char text[NPY_HEADER_MAX / 2];
    size_t used = (size_t)snprintf(text, sizeof text, "{'descr': '%.8s', 'fortran_order': False, 'shape': (", descr), size;

    for (int i = 0; i < n_dims; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, i ? ", %" PRId64 : "%" PRId64, shape[i]);
    used += (size_t)snprintf(text + used, sizeof text - used, n_dims == 1 ? ",), }" : "), }");
    size = (10 + used + 1 + ALIGN - 1) / ALIGN * ALIGN;
    memcpy(dst, MAGIC "\x01\x00", MAGIC_SIZE + 2);
    put_u16le(dst + 8, (uint16_t)(size - 10));
    memset(dst + 10, ' ', size - 10);
    memcpy(dst + 10, text, used);
    dst[size - 1] = '\n';
    return size;
}
