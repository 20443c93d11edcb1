/* shared.h - what tests have in common: golden data read from outside the tree, and comparison of arrays.
 *
 * Golden numbers come from a folder beside the sources, ../shared, or from where RESIDUA_SHARED points. Without it a test
 * that needs them says so and is skipped; under CI=true it fails, so that a missing folder cannot pass unseen.
 *
 *     Test(mel, matches_the_published_numbers)
 *     {
 *         SharedPath path;
 *         Npy x;
 *         NEED_SHARED("golden/losses_audio/plain");
 *         npy_load(&x, shared_path(&path, "golden/losses_audio/plain/x.npy"));
 *         ...
 *         ASSERT_CLOSE_F32("mel", y, x.f32, x.count, ((Tolerance){.abs = 1e-6, .rel = 1e-5}));
 *         npy_free(&x);
 *     }
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_TESTS_SHARED_H
#define RESIDUA_TESTS_SHARED_H

#include <criterion/criterion.h>
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/error.h"

#define SHARED_PATH_SIZE 4096
#define NPY_MAX_DIMS 8

typedef struct SharedPath {
    char text[SHARED_PATH_SIZE];
} SharedPath;

/* Path of `relative` below the shared folder, below the source tree, and below the build folder. */
const char *shared_path(SharedPath *path, const char *relative);
const char *source_path(SharedPath *path, const char *relative);
const char *build_path(SharedPath *path, const char *relative);

/* True when `relative` exists below the shared folder. A test calls NEED_SHARED instead. */
bool shared_exists(const char *relative);
bool shared_is_required(void); /* CI=true */

/* Leaves the test when `relative` is missing: skipped, or failed under CI=true. */
#define NEED_SHARED(relative)                                                                                          \
    do {                                                                                                               \
        if (!shared_exists(relative)) {                                                                                \
            SharedPath missing_;                                                                                       \
            const char *text_ = shared_path(&missing_, relative);                                                      \
            cr_assert(!shared_is_required(), "%s is missing: set RESIDUA_SHARED", text_);                              \
            fprintf(stderr, "skipped: needs %s; set RESIDUA_SHARED\n", text_);                                         \
            cr_skip_test("needs %s", text_);                                                                           \
        }                                                                                                              \
    } while (0)

/* An array saved by numpy: little-endian float32, float64, or an integer of 8 to 64 bits, in C order. */
typedef struct Npy {
    int n_dims;
    int64_t shape[NPY_MAX_DIMS];
    int64_t count;
    double *f64;  /* the values, of any dtype */
    float *f32;   /* the values rounded to float; exact for float32 */
    int64_t *i64; /* the values of an integer array, NULL for a floating-point one */
} Npy;

/* Loads or fails the test with a sentence. Free with npy_free. */
void npy_load(Npy *npy, const char *path);
void npy_free(Npy *npy);

/* Loads a JSON file or fails the test. Free with json_decref. */
json_t *json_file_load(const char *path);
/* A number at a path of object keys ("config/length"), or fails the test. */
double json_number_at(const json_t *root, const char *path);

/* |actual - expected| <= abs + rel * |expected| + of_max * max |expected|. */
typedef struct Tolerance {
    double abs, rel, of_max;
} Tolerance;

/* "tolerance": {"abs": .., "rel": ..} of a file of a golden index.json; fails the test when it has none. */
Tolerance tolerance_of(const json_t *index, const char *file);

/* NULL when all values are within the tolerance, else a sentence with the worst index, both values, the tolerance and how
 * many are outside. NaN is never close to anything. The text is valid until the next call of the same thread. */
const char *difference_f32(const char *what, const float *actual, const float *expected, int64_t count, Tolerance tol);
const char *difference_f64(const char *what, const double *actual, const double *expected, int64_t count,
                           Tolerance tol);
const char *difference_bits(const char *what, const float *actual, const float *expected, int64_t count);

#define ASSERT_NO_DIFFERENCE_(call)                                                                                    \
    do {                                                                                                               \
        const char *difference_ = (call);                                                                              \
        cr_assert(difference_ == NULL, "%s", difference_);                                                             \
    } while (0)
#define ASSERT_CLOSE_F32(what, actual, expected, count, tol)                                                           \
    ASSERT_NO_DIFFERENCE_(difference_f32(what, actual, expected, count, tol))
#define ASSERT_CLOSE_F64(what, actual, expected, count, tol)                                                           \
    ASSERT_NO_DIFFERENCE_(difference_f64(what, actual, expected, count, tol))
#define ASSERT_CLOSE(what, actual, expected, tol)                                                                      \
    do {                                                                                                               \
        double actual_ = (actual), expected_ = (expected);                                                             \
        ASSERT_NO_DIFFERENCE_(difference_f64(what, &actual_, &expected_, 1, tol));                                     \
    } while (0)
/* Equal bit for bit (-0 and 0 differ, equal NaNs do not). */
#define ASSERT_SAME_BITS(what, actual, expected, count)                                                                \
    ASSERT_NO_DIFFERENCE_(difference_bits(what, actual, expected, count))

/* Asserts RSD_OK and shows the sentence otherwise: ASSERT_OK(tensor_create(&t, 1, shape, &err), err). */
#define ASSERT_OK(call, err)                                                                                           \
    do {                                                                                                               \
        RsdStatus status_ = (call);                                                                                    \
        cr_assert(status_ == RSD_OK, "%s: status %d: %s", #call, (int)status_, (err).text);                            \
    } while (0)
/* Asserts a status and that there is a sentence containing `part`. */
#define ASSERT_FAILS(call, code, err, part)                                                                            \
    do {                                                                                                               \
        RsdStatus status_ = (call);                                                                                    \
        cr_assert(status_ == (code), "%s: status %d, expected %d: %s", #call, (int)status_, (int)(code), (err).text);  \
        cr_assert(strstr((err).text, (part)) != NULL, "'%s' does not contain '%s'", (err).text, (part));               \
    } while (0)

#endif
