/* test_search.c - codebook search: every kernel set against the definition, ties, and a vector's place in the batch.
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

#include "engine/base/rng.h"
#include "engine/kernels/kernels.h"
#include "engine/kernels/search.h"

static const char *const set_names[] = {"ref", "avx2", "avx512"};
#define N_SETS (sizeof set_names / sizeof set_names[0])

typedef struct Fixture {
    SearchBook book;
    float *e, *r;
    int64_t n;
} Fixture;

static Fixture make(int64_t n_codes, int64_t dim, int64_t n, uint32_t seed)
{
    Fixture f = {.book = {.n_codes = n_codes, .dim = dim}, .n = n};
    Rng rng = rng_at(11, RNG_TEST, 20, seed);

    f.book.packed = malloc(search_packed_count(n_codes, dim) * sizeof(float));
    f.e = malloc((size_t)(n_codes * dim) * sizeof(float));
    f.r = malloc((size_t)(n * dim) * sizeof(float));
    for (int64_t i = 0; i < n_codes * dim; i++)
        f.e[i] = rng_normal(&rng);
    for (int64_t i = 0; i < n * dim; i++)
        f.r[i] = rng_normal(&rng);
    search_pack(&f.book, f.e);
    return f;
}

static void clear(Fixture *f)
{
    free(f->book.packed);
    free(f->e);
    free(f->r);
}

static double squared_distance(const Fixture *f, int64_t code, int64_t t)
{
    double sum = 0.0;

    for (int64_t d = 0; d < f->book.dim; d++) {
        double diff = (double)f->r[d * f->n + t] - (double)f->e[code * f->book.dim + d];

        sum += diff * diff;
    }
    return sum;
}

Test(search, every_kernel_set_finds_a_nearest_code)
{
    const int64_t shapes[][3] = {{1024, 64, 50}, {1, 1, 1}, {3, 5, 7}, {5, 2, 24}, {17, 9, 25}, {256, 128, 31}, {4, 8, 100}};

    for (size_t s = 0; s < N_SETS; s++)
        for (size_t i = 0; i < sizeof shapes / sizeof shapes[0] && kernels_named(set_names[s]); i++) {
            Fixture f = make(shapes[i][0], shapes[i][1], shapes[i][2], (uint32_t)i);
            uint16_t *index = malloc((size_t)f.n * sizeof *index);

            kernels_named(set_names[s])->search->nearest(&f.book, f.r, f.n, f.n, index);
            for (int64_t t = 0; t < f.n; t++) {
                double best = INFINITY, found;

                cr_assert_lt(index[t], f.book.n_codes);
                found = squared_distance(&f, index[t], t);
                for (int64_t code = 0; code < f.book.n_codes; code++)
                    best = fmin(best, squared_distance(&f, code, t));
                cr_assert(found <= best * (1.0 + 1e-5) + 1e-6, "%s, shape %zu, vector %d: code %d at %.9g, nearest is at %.9g",
                          set_names[s], i, (int)t, index[t], found, best);
            }
            free(index);
            clear(&f);
        }
}

Test(search, equal_codes_go_to_the_lowest_index)
{
    for (size_t s = 0; s < N_SETS && kernels_named(set_names[s]); s++) {
        enum { CODES = 37, DIM = 6, N = 29 };
        Fixture f = make(CODES, DIM, N, 1);
        uint16_t index[N];

        for (int code = 0; code < CODES; code++) /* only five different codes */
            for (int d = 0; d < DIM; d++)
                f.e[code * DIM + d] = f.e[code % 5 * DIM + d];
        search_pack(&f.book, f.e);
        kernels_named(set_names[s])->search->nearest(&f.book, f.r, N, N, index);
        for (int t = 0; t < N; t++)
            cr_assert_lt(index[t], 5, "%s: vector %d has code %d", set_names[s], t, index[t]);
        clear(&f);
    }
}

Test(search, a_vector_gets_the_same_code_wherever_it_stands)
{
    for (size_t s = 0; s < N_SETS && kernels_named(set_names[s]); s++) {
        enum { CODES = 512, DIM = 64, N = 61 };
        Fixture f = make(CODES, DIM, N, 2);
        uint16_t whole[N], part[N];
        const SearchKernels *search = kernels_named(set_names[s])->search;

        search->nearest(&f.book, f.r, N, N, whole);
        for (int count = 1; count <= 26; count++)
            for (int first = 0; first + count <= N; first += 7) {
                search->nearest(&f.book, f.r + first, N, count, part);
                for (int t = 0; t < count; t++)
                    cr_assert_eq(part[t], whole[first + t], "%s: vector %d alone %d, in the batch %d", set_names[s], first + t,
                                 part[t], whole[first + t]);
            }
        clear(&f);
    }
}

Test(search, not_a_number_gets_a_code_that_exists)
{
    for (size_t s = 0; s < N_SETS && kernels_named(set_names[s]); s++) {
        Fixture f = make(16, 4, 9, 3);
        uint16_t index[9];

        f.r[5] = NAN;
        f.r[9 + 7] = INFINITY;
        kernels_named(set_names[s])->search->nearest(&f.book, f.r, 9, 9, index);
        cr_assert_eq(index[5], 0);
        for (int t = 0; t < 9; t++)
            cr_assert_lt(index[t], 16);
        clear(&f);
    }
}

/* ---- scan ---- */

enum { SCAN_CODES = 203, SCAN_DIM = 9, SCAN_N = 61 };

typedef struct Scan {
    const Fixture *fixture;
    const char *set;
    float *least; /* [SCAN_N] raised to each score that comes, when `raises` */
    bool raises;
    unsigned char found[SCAN_N][SCAN_CODES];
} Scan;

static double true_score(const Fixture *f, int64_t code, int64_t t)
{
    double score = 0.0;

    for (int64_t d = 0; d < f->book.dim; d++) {
        double e = (double)f->e[code * f->book.dim + d];

        score += e * (double)f->r[d * f->n + t] - 0.5 * e * e;
    }
    return score;
}

static void note(void *ctx, int64_t t, int64_t code, float score)
{
    Scan *scan = ctx;

    cr_assert(t >= 0 && t < SCAN_N && code >= 0 && code < SCAN_CODES, "%s: vector %d, code %d", scan->set, (int)t, (int)code);
    cr_assert_float_eq((double)score, true_score(scan->fixture, code, t), 1e-4, "%s: vector %d, code %d", scan->set, (int)t, (int)code);
    scan->found[t][code]++;
    if (scan->raises && score > scan->least[t])
        scan->least[t] = score;
}

Test(search, a_scan_hands_out_once_every_code_that_scores_enough)
{
    for (size_t s = 0; s < N_SETS && kernels_named(set_names[s]); s++)
        for (int64_t n = 1; n <= SCAN_N; n += n < 30 ? 1 : 31) {
            Fixture f = make(SCAN_CODES, SCAN_DIM, SCAN_N, 5);
            Scan scan = {.fixture = &f, .set = set_names[s]};
            float least[SCAN_N];

            for (int t = 0; t < SCAN_N; t++)
                least[t] = t % 3 ? -3.0f : -INFINITY;
            f.r[2 * SCAN_N] = NAN; /* of vector 0: no code scores enough */
            kernels_named(set_names[s])->search->scan(&f.book, f.r, SCAN_N, n, least, note, &scan);
            for (int64_t t = 0; t < SCAN_N; t++)
                for (int code = 0; code < SCAN_CODES; code++) {
                    double score = true_score(&f, code, t);

                    if (fabs(score - (double)least[t]) > 1e-4)
                        cr_assert_eq(scan.found[t][code], t < n && score >= (double)least[t], "%s: vector %d of %d, code %d", set_names[s],
                                     (int)t, (int)n, code);
                }
            clear(&f);
        }
}

Test(search, a_scan_whose_marks_rise_still_finds_the_best)
{
    for (size_t s = 0; s < N_SETS && kernels_named(set_names[s]); s++) {
        Fixture f = make(SCAN_CODES, SCAN_DIM, SCAN_N, 6);
        float least[SCAN_N];
        Scan scan = {.fixture = &f, .set = set_names[s], .least = least, .raises = true};
        uint16_t nearest[SCAN_N];
        int n_found = 0;

        for (int t = 0; t < SCAN_N; t++)
            least[t] = -INFINITY;
        kernels_named(set_names[s])->search->nearest(&f.book, f.r, SCAN_N, SCAN_N, nearest);
        kernels_named(set_names[s])->search->scan(&f.book, f.r, SCAN_N, SCAN_N, least, note, &scan);
        for (int t = 0; t < SCAN_N; t++) {
            cr_assert_eq(scan.found[t][nearest[t]], 1, "%s: vector %d", set_names[s], t);
            for (int code = 0; code < SCAN_CODES; code++)
                n_found += scan.found[t][code];
        }
        cr_assert_lt(n_found, SCAN_N * SCAN_CODES / 4, "%s: %d", set_names[s], n_found);
        clear(&f);
    }
}

Test(search, taking_a_code_out_moves_it_from_the_rest_to_the_sum)
{
    for (size_t s = 0; s < N_SETS && kernels_named(set_names[s]); s++) {
        enum { CODES = 40, DIM = 7, N = 19 };
        Fixture f = make(CODES, DIM, N, 4);
        const SearchKernels *search = kernels_named(set_names[s])->search;
        float rest[DIM * N], sum[DIM * N];
        uint16_t index[N];

        for (int i = 0; i < DIM * N; i++) {
            rest[i] = f.r[i];
            sum[i] = 0.0f;
        }
        search->nearest(&f.book, f.r, N, N, index);
        search->take_out(f.e, DIM, index, N, rest, sum, N);
        search->take_out(f.e, DIM, index, N, rest, NULL, N);
        for (int d = 0; d < DIM; d++)
            for (int t = 0; t < N; t++) {
                float code = f.e[index[t] * DIM + d];

                cr_assert(sum[d * N + t] == code && rest[d * N + t] == f.r[d * N + t] - code - code, "%s [%d, %d]",
                          set_names[s], d, t);
            }
        clear(&f);
    }
}
