/* test_ops.c - what must hold for every row of the op table, with every kernel set this machine has.
 *
 *   values       equal the double forward pass within the row's tolerance
 *   gradients    equal central differences of the double forward pass against a random cotangent
 *   accumulation gradients add to what parameters hold, and come out the same when other inputs need none
 *   replay       a second backward pass over the same record adds the same again
 *   threads      1 and 2 threads give the same bits, forward and backward, on small and large shapes
 *   inference    without recording the values have the same bits
 *   memory       each allocation fails once: a clean status, no leak (under ASan), and the next call works
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/shared.h"

#include <math.h>
#include <stdlib.h>

#include "engine/base/mem.h"
#include "engine/base/rng.h"
#include "engine/kernels/kernels.h"
#include "tests/engine/op_table.h"

#define SEED 20240607u
#define STEP 1e-5 /* of central differences: truncation and rounding are both near 1e-11 in double */

static const char *const set_names[] = {"ref", "avx2", "avx512"};
#define N_SETS (sizeof set_names / sizeof set_names[0])

/* --- one call of a row --------------------------------------------------------------------------------------------- */

typedef struct OpRun {
    RsdThreads *threads;
    Tape *tape;
    Tensor *in[OP_MAX_INPUTS], *y;
    float *cotangent; /* [count of y] */
} OpRun;

static void close_run(OpRun *run)
{
    tape_destroy(&run->tape);
    rsd_threads_destroy(&run->threads);
    mem_free(&run->cotangent);
}

/* The arena starts full of NaN, so that a result which depends on undefined memory shows. */
static void poison_arena(Tape *tape)
{
    const int64_t count = 1 << 20;
    RsdError err = {0};
    float *block;

    ASSERT_OK(arena_alloc(tape->arena, &block, (size_t)count, sizeof *block, &err), err);
    for (int64_t i = 0; i < count; i++)
        block[i] = NAN;
    arena_reset(tape->arena);
}

static void open_run(OpRun *run, const OpRow *row, const Kernels *set, int n_threads, bool bench)
{
    RsdError err = {0};

    *run = (OpRun){0};
    ASSERT_OK(rsd_threads_create(&run->threads, n_threads, &err), err);
    ASSERT_OK(tape_create(&run->tape, run->threads, 0, &err), err);
    run->tape->kernels = set;
    poison_arena(run->tape);
    ASSERT_OK(op_row_inputs(run->tape, row, bench, SEED, run->in, &err), err);
}

static void call_row(OpRun *run, const OpRow *row, bool recording)
{
    RsdError err = {0};
    RsdStatus status;

    run->tape->recording = recording;
    status = row->apply(run->tape, row, run->in, &run->y, &err);
    cr_assert(status == RSD_OK, "%s, %s kernels: %s", row->name, run->tape->kernels->name, err.text);
}

static void call_backward(OpRun *run, const OpRow *row)
{
    const int64_t count = tensor_count(run->y);
    Rng rng = rng_at(SEED, RNG_TEST, 1, 0);
    RsdError err = {0};
    RsdStatus status;

    ASSERT_OK(mem_alloc(&run->cotangent, (size_t)count, sizeof(float), &err), err);
    for (int64_t i = 0; i < count; i++)
        run->cotangent[i] = rng_between(&rng, -1.0f, 1.0f);
    status = tape_backward_from(run->tape, run->y, run->cotangent, &err);
    cr_assert(status == RSD_OK, "%s, %s kernels: %s", row->name, run->tape->kernels->name, err.text);
}

static void each_row_and_set(void (*check)(const OpRow *row, const Kernels *set))
{
    for (size_t s = 0; s < N_SETS; s++) {
        const Kernels *set = kernels_named(set_names[s]);

        for (size_t i = 0; set && op_table_row(i); i++)
            check(op_table_row(i), set);
    }
}

/* --- the double side ------------------------------------------------------------------------------------------------ */

static void widen(OpArray *array, const Tensor *x)
{
    double *data;

    *array = (OpArray){0};
    data = op_array_shape(array, x->n_dims, x->shape);
    for (int64_t i = 0; i < array->count; i++)
        data[i] = (double)x->data[i];
}

static double rms(const double *x, int64_t count)
{
    double total = 0.0;

    for (int64_t i = 0; i < count; i++)
        total += x[i] * x[i];
    return count ? sqrt(total / (double)count) : 0.0;
}

static void expect_close(const OpRow *row, const Kernels *set, const char *what, const float *got, const double *expected,
                         int64_t count, double tolerance)
{
    const double scale = rms(expected, count);
    double worst = 0.0;
    int64_t at = -1;

    for (int64_t i = 0; i < count; i++) {
        const double allowed = tolerance * (fabs(expected[i]) + scale), ratio = fabs((double)got[i] - expected[i]) / allowed;

        if (!(ratio <= 1.0) && !((double)got[i] == expected[i]) && !(ratio <= worst)) {
            worst = ratio;
            at = i;
        }
    }
    cr_expect(at < 0, "%s, %s kernels, %s[%lld]: %.9g, expected %.9g, %.1f times the tolerance %.1e (seed %u)", row->name,
              set->name, what, (long long)at, at < 0 ? 0.0 : (double)got[at], at < 0 ? 0.0 : expected[at], worst, tolerance,
              SEED);
}

/* --- values ----------------------------------------------------------------------------------------------------------- */

static void check_values(const OpRow *row, const Kernels *set)
{
    OpRun run;
    OpArray in[OP_MAX_INPUTS], y = {0};
    char text[SHAPE_TEXT_SIZE], text_expected[SHAPE_TEXT_SIZE];

    open_run(&run, row, set, 1, false);
    call_row(&run, row, false);
    for (int k = 0; k < row->n_inputs; k++)
        widen(&in[k], run.in[k]);
    row->reference(row, in, &y);
    cr_assert(y.n_dims == run.y->n_dims && memcmp(y.shape, run.y->shape, (size_t)y.n_dims * sizeof *y.shape) == 0,
              "%s: shape %s, expected %s", row->name, shape_text(text, run.y->n_dims, run.y->shape),
              shape_text(text_expected, y.n_dims, y.shape));
    expect_close(row, set, "y", run.y->data, y.data, y.count, row->value_tolerance);
    for (int k = 0; k < row->n_inputs; k++)
        free(in[k].data);
    free(y.data);
    close_run(&run);
}

Test(ops, values_match_the_double_reference)
{
    each_row_and_set(check_values);
}

/* --- gradients ---------------------------------------------------------------------------------------------------------- */

static double projection(const OpRow *row, const OpArray *in, OpArray *y, const float *cotangent)
{
    double total = 0.0;

    row->reference(row, in, y);
    for (int64_t i = 0; i < y->count; i++)
        total += y->data[i] * (double)cotangent[i];
    return total;
}

/* Which elements of an input of `count` are probed: all of few, else an even spread that starts at 0 and ends at the end. */
static int64_t probe_at(int64_t i, int64_t n_probes, int64_t count)
{
    return n_probes == count ? i : i * (count - 1) / (n_probes - 1);
}

/* The differences are the same for every set and cost most, so they are taken once. */
static void check_gradients(const OpRow *row)
{
    OpRun runs[N_SETS];
    const OpRun *first = NULL;
    OpArray in[OP_MAX_INPUTS], y = {0};
    double expected[OP_MAX_PROBES];
    float got[OP_MAX_PROBES];

    for (size_t s = 0; s < N_SETS; s++) {
        runs[s] = (OpRun){0};
        if (!kernels_named(set_names[s]))
            continue;
        open_run(&runs[s], row, kernels_named(set_names[s]), 1, false);
        call_row(&runs[s], row, true);
        call_backward(&runs[s], row);
        first = first ? first : &runs[s];
    }
    for (int k = 0; k < row->n_inputs; k++)
        widen(&in[k], first->in[k]);
    for (int k = 0; k < row->n_inputs; k++) {
        const int64_t count = in[k].count, n_probes = count < OP_MAX_PROBES ? count : OP_MAX_PROBES;
        const char what[] = {'d', (char)('a' + k), 0};

        for (int64_t i = 0; !row->in[k].constant && i < n_probes; i++) {
            const int64_t at = probe_at(i, n_probes, count);
            const double x = in[k].data[at], step = STEP * fmax(1.0, fabs(x));
            double above, below;

            in[k].data[at] = x + step;
            above = projection(row, in, &y, first->cotangent);
            in[k].data[at] = x - step;
            below = projection(row, in, &y, first->cotangent);
            in[k].data[at] = x;
            expected[i] = (above - below) / (2.0 * step);
        }
        for (size_t s = 0; s < N_SETS; s++) {
            if (!runs[s].tape)
                continue;
            cr_assert(row->in[k].constant == (runs[s].in[k]->grad == NULL), "%s, %s kernels: input %d is %s", row->name,
                      set_names[s], k, row->in[k].constant ? "constant and received a gradient" : "without a gradient");
            for (int64_t i = 0; !row->in[k].constant && i < n_probes; i++)
                got[i] = runs[s].in[k]->grad[probe_at(i, n_probes, count)];
            if (!row->in[k].constant)
                expect_close(row, runs[s].tape->kernels, what, got, expected, n_probes, row->gradient_tolerance);
        }
    }
    for (int k = 0; k < row->n_inputs; k++)
        free(in[k].data);
    free(y.data);
    for (size_t s = 0; s < N_SETS; s++)
        if (runs[s].tape)
            close_run(&runs[s]);
}

Test(ops, gradients_match_finite_differences_of_the_double_reference)
{
    for (size_t i = 0; op_table_row(i); i++)
        check_gradients(op_table_row(i));
}

/* --- accumulation ----------------------------------------------------------------------------------------------------- */

/* The same inputs as parameters whose gradients already hold numbers; only those of `wanted` take part. */
static void backward_into_parameters(const OpRow *row, const Kernels *set, unsigned wanted, Tensor **params, const OpRun *plain)
{
    OpRun run;
    RsdError err = {0};

    open_run(&run, row, set, 1, false);
    for (int k = 0; k < row->n_inputs; k++) {
        if (!(wanted >> k & 1u)) {
            run.in[k]->needs_grad = false;
            continue;
        }
        ASSERT_OK(tensor_create_param(&params[k], run.in[k]->n_dims, run.in[k]->shape, &err), err);
        memcpy(params[k]->data, run.in[k]->data, (size_t)tensor_count(params[k]) * sizeof(float));
        for (int64_t i = 0; i < tensor_count(params[k]); i++)
            params[k]->grad[i] = 0.25f * plain->in[k]->grad[tensor_count(params[k]) - 1 - i];
        run.in[k] = params[k];
    }
    call_row(&run, row, true);
    call_backward(&run, row);
    close_run(&run);
}

static void check_accumulation_of(const OpRow *row, const Kernels *set, unsigned wanted, const OpRun *plain)
{
    Tensor *params[OP_MAX_INPUTS] = {0};

    backward_into_parameters(row, set, wanted, params, plain);
    for (int k = 0; k < row->n_inputs; k++)
        if (params[k]) {
            const int64_t count = tensor_count(params[k]);
            double *expected = calloc((size_t)count + 1, sizeof *expected);

            cr_assert(expected);
            for (int64_t i = 0; i < count; i++)
                expected[i] = (double)plain->in[k]->grad[i] + 0.25 * (double)plain->in[k]->grad[count - 1 - i];
            expect_close(row, set, "accumulated gradient", params[k]->grad, expected, count, 1e-6);
            free(expected);
            tensor_destroy(&params[k]);
        }
}

static void check_accumulation(const OpRow *row, const Kernels *set)
{
    unsigned all = 0;
    OpRun run;

    open_run(&run, row, set, 1, false);
    call_row(&run, row, true);
    call_backward(&run, row);
    for (int k = 0; k < row->n_inputs; k++)
        if (!row->in[k].constant) {
            all |= 1u << k;
            check_accumulation_of(row, set, 1u << k, &run);
        }
    if (all & (all - 1u))
        check_accumulation_of(row, set, all, &run);
    close_run(&run);
}

Test(ops, gradients_add_to_what_is_there_and_do_not_depend_on_which_inputs_need_them)
{
    each_row_and_set(check_accumulation);
}

/* --- replay ----------------------------------------------------------------------------------------------------------- */

static void check_replay(const OpRow *row, const Kernels *set)
{
    OpRun once, twice;
    RsdError err = {0};

    open_run(&once, row, set, 1, false);
    call_row(&once, row, true);
    call_backward(&once, row);
    open_run(&twice, row, set, 1, false);
    call_row(&twice, row, true);
    call_backward(&twice, row);
    ASSERT_OK(tape_backward_from(twice.tape, twice.y, twice.cotangent, &err), err);
    for (int k = 0; k < row->n_inputs; k++) {
        const int64_t count = tensor_count(once.in[k]);
        double *expected = calloc((size_t)count + 1, sizeof *expected);

        cr_assert(expected);
        for (int64_t i = 0; once.in[k]->grad && i < count; i++)
            expected[i] = 2.0 * (double)once.in[k]->grad[i];
        if (once.in[k]->grad)
            expect_close(row, set, "gradient of two passes", twice.in[k]->grad, expected, count, 1e-6);
        free(expected);
    }
    close_run(&once);
    close_run(&twice);
}

Test(ops, a_second_pass_over_the_record_adds_the_same_again)
{
    each_row_and_set(check_replay);
}

/* --- threads ------------------------------------------------------------------------------------------------------------ */

static void check_threads(const OpRow *row, const Kernels *set)
{
    /* How an op is cut into tasks does not depend on the set, so large shapes run with the fast one alone. */
    const int n_shapes = op_row_is_timed(row) && set == kernels_pick() ? 2 : 1;

    for (int bench = 0; bench < n_shapes; bench++) {
        OpRun one, two;
        char what[128];

        open_run(&one, row, set, 1, bench);
        open_run(&two, row, set, 2, bench);
        call_row(&one, row, true);
        call_row(&two, row, true);
        snprintf(what, sizeof what, "%s, %s kernels, 1 and 2 threads, y", row->name, set->name);
        ASSERT_SAME_BITS(what, two.y->data, one.y->data, tensor_count(one.y));
        call_backward(&one, row);
        call_backward(&two, row);
        for (int k = 0; k < row->n_inputs; k++) {
            snprintf(what, sizeof what, "%s, %s kernels, 1 and 2 threads, gradient %d", row->name, set->name, k);
            if (one.in[k]->grad)
                ASSERT_SAME_BITS(what, two.in[k]->grad, one.in[k]->grad, tensor_count(one.in[k]));
        }
        close_run(&one);
        close_run(&two);
    }
}

Test(ops, one_and_two_threads_give_the_same_bits, .timeout = 900)
{
    each_row_and_set(check_threads);
}

static void check_inference(const OpRow *row, const Kernels *set)
{
    OpRun trained, plain;
    char what[96];

    open_run(&trained, row, set, 1, false);
    open_run(&plain, row, set, 1, false);
    call_row(&trained, row, true);
    call_row(&plain, row, false);
    snprintf(what, sizeof what, "%s, %s kernels, with and without recording", row->name, set->name);
    ASSERT_SAME_BITS(what, plain.y->data, trained.y->data, tensor_count(trained.y));
    cr_expect(trained.y->needs_grad && !plain.y->needs_grad && plain.tape->last == NULL, "%s: wrong record", row->name);
    close_run(&trained);
    close_run(&plain);
}

Test(ops, inference_gives_the_bits_of_training)
{
    each_row_and_set(check_inference);
}

/* --- memory --------------------------------------------------------------------------------------------------------------- */

/* A limit below the arena's first block makes every request of the op an allocation of its own. */
#define TIGHT_LIMIT 200000

static RsdStatus run_once(const OpRow *row, size_t limit, int64_t fail_after, RsdError *err)
{
    RsdThreads *threads = NULL;
    Tape *tape = NULL;
    Tensor *in[OP_MAX_INPUTS], *y;
    float *cotangent = NULL;
    RsdStatus status = RSD_OK;

    TRY(rsd_threads_create(&threads, 1, err));
    TRY(tape_create(&tape, threads, limit, err));
    TRY(op_row_inputs(tape, row, false, SEED, in, err));
    tape->recording = true;
    mem_fail_after(fail_after);
    TRY(row->apply(tape, row, in, &y, err));
    mem_fail_after(-1);
    TRY(mem_calloc(&cotangent, (size_t)tensor_count(y), sizeof *cotangent, err));
    mem_fail_after(fail_after);
    TRY(tape_backward_from(tape, y, cotangent, err));
fail:
    mem_fail_after(-1);
    mem_free(&cotangent);
    tape_destroy(&tape);
    rsd_threads_destroy(&threads);
    return status;
}

Test(ops, every_allocation_may_fail_once)
{
    for (size_t i = 0; op_table_row(i); i++) {
        const OpRow *row = op_table_row(i);
        RsdError err = {0};
        const size_t limit = run_once(row, TIGHT_LIMIT, -1, &err) == RSD_OK ? TIGHT_LIMIT : 0;
        int n_failures = 0;

        for (int64_t n = 0;; n++) {
            RsdStatus status;

            err = (RsdError){0};
            status = run_once(row, limit, n, &err);
            if (status == RSD_OK)
                break;
            n_failures++;
            cr_assert(status == RSD_ERR_MEMORY && err.text[0], "%s: allocation %lld fails: status %d, '%s'", row->name,
                      (long long)n, (int)status, err.text);
        }
        cr_expect(n_failures > 0, "%s: no allocation was made to fail", row->name);
    }
}
