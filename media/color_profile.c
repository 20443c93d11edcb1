/* color_profile.c - a head of 128 bytes, a table of tags, their data [ICC.1:2022, 7].
 *
 * SPDX-License-Identifier: MIT
 */
#include "media/color_profile.h"

#include <math.h>
#include <string.h>

#include "engine/base/bytes.h"
#include "media/image_metadata.h"

#define HEAD_SIZE 128
#define MAX_POINTS 32767 /* of a curve, that colour engines take */

bool color_profile_is_rgb(const uint8_t *icc, size_t size)
{
    return size >= HEAD_SIZE && memcmp(icc + 16, "RGB ", 4) == 0;
}

/* Signature, size, and tags that lie inside. */
static bool profile_is_sound(const uint8_t *icc, size_t size)
{
    uint32_t n_tags;

    if (size < HEAD_SIZE + 4 || memcmp(icc + 36, "acsp", 4) != 0 || get_u32be(icc) > size)
        return false;
    n_tags = get_u32be(icc + HEAD_SIZE);
    if (n_tags > (size - HEAD_SIZE - 4) / 12)
        return false;
    for (uint32_t i = 0; i < n_tags; i++) {
        const uint8_t *tag = icc + HEAD_SIZE + 4 + 12 * i;

        if (get_u32be(tag + 4) > size || get_u32be(tag + 8) > size - get_u32be(tag + 4))
            return false;
    }
    return true;
}

const char *color_profile_problem(const uint8_t *icc, size_t size, int channels)
{
    if (size > METADATA_MAX_SIZE)
        return "is too large";
    if (!profile_is_sound(icc, size))
        return "is damaged";
    if (color_profile_is_rgb(icc, size) || (channels == 1 && memcmp(icc + 16, "GRAY", 4) == 0))
        return NULL;
    return memcmp(icc + 16, "CMYK", 4) == 0 ? "is of CMYK, and the colours became RGB" : "is of other colours than the picture";
}

/* --- the plain kind --------------------------------------------------------------------------------------------------------- */

/* The data of a tag that has `type` and at least `least` bytes; NULL: not there, or other. */
static const uint8_t *find_tag(const uint8_t *icc, const char *name, const char *type, size_t least, size_t *size)
{
    for (uint32_t i = 0; i < get_u32be(icc + HEAD_SIZE); i++) {
        const uint8_t *tag = icc + HEAD_SIZE + 4 + 12 * i, *data = icc + get_u32be(tag + 4);

        *size = get_u32be(tag + 8);
        if (memcmp(tag, name, 4) == 0)
            return *size >= least && memcmp(data, type, 4) == 0 ? data : NULL;
    }
    return NULL;
}

static double number_at(const uint8_t *p)
{
    return (double)(int32_t)get_u32be(p) / 65536.0;
}

/* False for values that are not numbers, too. */
static bool is_between(double v, double least, double most)
{
    return v >= least && v <= most;
}

static bool is_gamma(double v)
{
    return is_between(v, 0.1, 10.0);
}

/* One of the five formulas with its numbers gamma, a, b, c, d, e, f, at x [10.18]. */
static double formula(int kind, const double n[7], double x)
{
    const double from = kind >= 3 ? n[4] : kind >= 1 ? -n[2] / n[1] : 0.0;
    const double base = kind >= 1 ? n[1] * x + n[2] : x;

    if (x >= from)
        return pow(base, n[0]) + (kind == 2 ? n[3] : kind == 4 ? n[5] : 0.0);
    return kind == 1 ? 0.0 : kind == 2 ? n[3] : n[3] * x + (kind == 4 ? n[6] : 0.0);
}

static bool is_formula_plain(const uint8_t *curve, size_t size)
{
    static const uint8_t n_numbers[] = {1, 3, 4, 5, 7};
    const int kind = curve[8] << 8 | curve[9];
    double n[7] = {0};

    if (kind > 4 || size < 12 + 4u * n_numbers[kind])
        return false;
    for (int i = 0; i < n_numbers[kind]; i++)
        n[i] = number_at(curve + 12 + 4 * i);
    for (int i = 0; i <= 64; i++)
        if (!is_between(formula(kind, n, i / 64.0), -0.1, 1.1))
            return false;
    return is_gamma(n[0]);
}

/* Points of 16 bits, one: a gamma in 1/256 [10.6]; or a formula. */
static bool has_curve(const uint8_t *icc, const char *name)
{
    size_t size;
    const uint8_t *curve = find_tag(icc, name, "curv", 12, &size);
    uint32_t n;

    if (!curve) {
        curve = find_tag(icc, name, "para", 12, &size);
        return curve && is_formula_plain(curve, size);
    }
    n = get_u32be(curve + 8);
    return n <= MAX_POINTS && n <= (size - 12) / 2 && (n != 1 || is_gamma((curve[12] << 8 | curve[13]) / 256.0));
}

/* Red, green and blue are together the white of the space between, D50 [7.2.16]. */
static bool has_colours(const uint8_t *icc)
{
    static const char *const names[] = {"rXYZ", "gXYZ", "bXYZ"};
    static const double d50[] = {0.9642, 1.0, 0.8249};
    double sum[3] = {0};
    size_t size;

    for (int i = 0; i < 3; i++) {
        const uint8_t *tag = find_tag(icc, names[i], "XYZ ", 20, &size);

        for (int k = 0; k < 3; k++) {
            if (!tag || !is_between(number_at(tag + 8 + 4 * k), -0.5, 1.5))
                return false;
            sum[k] += number_at(tag + 8 + 4 * k);
        }
    }
    return fabs(sum[0] - d50[0]) < 0.1 && fabs(sum[1] - d50[1]) < 0.1 && fabs(sum[2] - d50[2]) < 0.1;
}

/* Version, device, space between, intent; a white; no tables, which would count before colours and curves. */
static bool has_plain_head(const uint8_t *icc)
{
    size_t size;
    const uint8_t *white = find_tag(icc, "wtpt", "XYZ ", 20, &size);

    for (uint32_t i = 0; i < get_u32be(icc + HEAD_SIZE); i++) {
        const uint8_t *tag = icc + HEAD_SIZE + 4 + 12 * i;

        if (memcmp(tag, "A2B", 3) == 0 || memcmp(tag, "D2B", 3) == 0)
            return false;
    }
    for (int k = 0; k < 3; k++)
        if (!white || !is_between(number_at(white + 8 + 4 * k), 0.2, 2.0))
            return false;
    return icc[8] <= 4 && (memcmp(icc + 12, "mntr", 4) == 0 || memcmp(icc + 12, "scnr", 4) == 0) && memcmp(icc + 20, "XYZ ", 4) == 0 &&
           get_u32be(icc + 64) <= 3;
}

bool color_profile_is_plain(const uint8_t *icc, size_t size)
{
    const size_t stated = size >= HEAD_SIZE ? get_u32be(icc) : 0;

    if (stated > size || !profile_is_sound(icc, stated) || !has_plain_head(icc))
        return false;
    if (memcmp(icc + 16, "GRAY", 4) == 0)
        return has_curve(icc, "kTRC");
    return color_profile_is_rgb(icc, size) && has_colours(icc) && has_curve(icc, "rTRC") && has_curve(icc, "gTRC") && has_curve(icc, "bTRC");
}
