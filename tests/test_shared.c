/* test_shared.c - the tests' own tools must notice what they are for.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/shared.h"

Test(shared, comparison_names_the_worst_index_and_counts_the_values_outside)
{
    static const float actual[4] = {1, 2.5f, 3, 5}, expected[4] = {1, 2, 3, 4};
    const char *text = difference_f32("numbers", actual, expected, 4, (Tolerance){.abs = 0.1});

    cr_assert_not_null(text);
    cr_assert_str_eq(text, "numbers: [3] is 5, expected 4, difference 1, tolerance 0.1; 2 of 4 values are outside");
    cr_assert_null(difference_f32("numbers", actual, expected, 4, (Tolerance){.abs = 1}));
    cr_assert_null(difference_f32("numbers", actual, expected, 4, (Tolerance){.rel = 0.25}));
    cr_assert_null(difference_f32("numbers", actual, expected, 4, (Tolerance){.of_max = 0.25}));
}

Test(shared, comparison_rejects_nan_and_accepts_equal_infinities)
{
    static const double nan_value[1] = {NAN}, infinite[1] = {INFINITY}, one[1] = {1};

    cr_assert_not_null(difference_f64("nan", nan_value, one, 1, (Tolerance){.abs = 1e9}));
    cr_assert_not_null(difference_f64("nan", one, nan_value, 1, (Tolerance){.abs = 1e9}));
    cr_assert_not_null(difference_f64("inf", infinite, one, 1, (Tolerance){.abs = 1e9}));
    cr_assert_null(difference_f64("inf", infinite, infinite, 1, (Tolerance){0}));
}

Test(shared, bit_comparison_tells_zero_from_minus_zero)
{
    static const float zero[1] = {0.0f}, minus_zero[1] = {-0.0f};

    cr_assert_null(difference_bits("zero", zero, zero, 1));
    cr_assert_not_null(difference_bits("zero", zero, minus_zero, 1));
}

Test(shared, npy_reader_knows_floats_and_signed_integers)
{
    /* numpy.save of array([[-1], [2]], int16): 10 bytes, a header padded to 64 bytes in all, the values */
    static const char header[] = "{'descr': '<i2', 'fortran_order': False, 'shape': (2, 1), }";
    static const unsigned char values[4] = {0xff, 0xff, 2, 0};
    char path[] = "/tmp/residua-npy-XXXXXX";
    int fd = mkstemp(path);
    FILE *file = fdopen(fd, "wb");
    Npy npy;

    cr_assert(file != NULL);
    fprintf(file, "\x93NUMPY%c%c%c%c%s", 1, 0, (int)sizeof header - 1, 0, header);
    fwrite(values, 1, sizeof values, file);
    fclose(file);
    npy_load(&npy, path);
    unlink(path);
    cr_assert(npy.n_dims == 2 && npy.shape[0] == 2 && npy.shape[1] == 1 && npy.count == 2);
    cr_assert(npy.i64[0] == -1 && npy.i64[1] == 2);
    cr_assert(npy.f64[0] == -1 && npy.f32[1] == 2.0f);
    npy_free(&npy);
}

Test(shared, npy_reader_reads_golden_audio)
{
    SharedPath path;
    Npy x;

    NEED_SHARED("golden/losses_audio/plain/x.npy");
    npy_load(&x, shared_path(&path, "golden/losses_audio/plain/x.npy"));
    cr_assert(x.n_dims == 3 && x.shape[2] == 9001 && x.i64 == NULL);
    for (int64_t i = 0; i < x.count; i++)
        cr_assert(fabs(x.f64[i]) < 2, "[%lld] is %g", (long long)i, x.f64[i]);
    npy_free(&x);
}

Test(shared, golden_index_gives_tolerances)
{
    SharedPath path;
    json_t *index;

    NEED_SHARED("golden/losses_audio/plain/index.json");
    index = json_file_load(shared_path(&path, "golden/losses_audio/plain/index.json"));
    cr_assert_float_eq(tolerance_of(index, "l1.grad.npy").abs, 1e-7, 1e-12);
    cr_assert_float_eq(json_number_at(index, "config/length"), 9001, 0);
    json_decref(index);
}
