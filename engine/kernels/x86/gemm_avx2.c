/* gemm_avx2.c - matrix products: large ones by OpenBLAS, matrix times vector here.
 *
 * OpenBLAS runs on one thread; residua cuts the work itself, so that results do not depend on the number of threads. It is
 * loaded with the first product, because it starts its threads when it is loaded; where it cannot be, the reference
 * multiplies.
 *
 * SPDX-License-Identifier: MIT
 */
#include <cblas.h>
#include <pthread.h>

#include "engine/base/library.h"
#include "engine/kernels/gemm.h"
#include "engine/kernels/x86/vector_avx2.h"

#define W 8

#define BLAS_FUNCTIONS(X) X(cblas_sgemm) X(openblas_set_num_threads)
static LibraryTable(BLAS_FUNCTIONS) blas;
static const char *const blas_names[] = {LibraryNames(BLAS_FUNCTIONS)};
static Library blas_library = {"libopenblas.so.0", "libopenblas0", blas_names, &blas, sizeof blas, false};

static void load_blas(void)
{
    if (library_need(&blas_library, NULL) == RSD_OK)
        blas.openblas_set_num_threads(1);
}

static void product(const GemmJob *job)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    if (job->m == 0 || job->n == 0)
        return;
    pthread_once(&once, load_blas);
    if (!blas_library.loaded) {
        gemm_ref.product(job);
        return;
    }
    blas.cblas_sgemm(CblasRowMajor, job->transpose_a ? CblasTrans : CblasNoTrans,
                     job->transpose_b ? CblasTrans : CblasNoTrans, (blasint)job->m, (blasint)job->n, (blasint)job->k, 1.0f,
                     job->a, (blasint)job->lda, job->b, (blasint)job->ldb, job->add ? 1.0f : 0.0f, job->c,
                     (blasint)job->ldc);
}

/* Four rows at a time share the loads of x; a row alone is summed in the same order. */
static inline __attribute__((always_inline)) void multiply_rows(int64_t n, const float *a, int64_t lda, const float *x, bool add,
                                                                float *y, int n_rows)
{
    __m256 sum[4][2];
    int64_t j = 0;

    UNROLL for (int r = 0; r < n_rows; r++)
        sum[r][0] = sum[r][1] = _mm256_setzero_ps();
    for (; j + 2 * W <= n; j += 2 * W) {
        __m256 low = _mm256_loadu_ps(x + j), high = _mm256_loadu_ps(x + j + W);

        UNROLL for (int r = 0; r < n_rows; r++) {
            sum[r][0] = _mm256_fmadd_ps(_mm256_loadu_ps(a + r * lda + j), low, sum[r][0]);
            sum[r][1] = _mm256_fmadd_ps(_mm256_loadu_ps(a + r * lda + j + W), high, sum[r][1]);
        }
    }
    for (; j < n; j += W) {
        __m256i mask = tail_mask(n - j < W ? n - j : W);
        __m256 in = _mm256_maskload_ps(x + j, mask);

        UNROLL for (int r = 0; r < n_rows; r++)
            sum[r][0] = _mm256_fmadd_ps(_mm256_maskload_ps(a + r * lda + j, mask), in, sum[r][0]);
    }
    UNROLL for (int r = 0; r < n_rows; r++) {
        float total = sum_lanes(_mm256_add_ps(sum[r][0], sum[r][1]));

        y[r] = add ? y[r] + total : total;
    }
}

static void matrix_vector(int64_t m, int64_t n, const float *a, int64_t lda, const float *x, bool add, float *y)
{
    int64_t i = 0;

    for (; i + 4 <= m; i += 4)
        multiply_rows(n, a + i * lda, lda, x, add, y + i, 4);
    for (; i < m; i++)
        multiply_rows(n, a + i * lda, lda, x, add, y + i, 1);
}

/* n_vectors whole columns of vectors. */
static inline __attribute__((always_inline)) void multiply_columns(int64_t k, const float *x, const float *a, int64_t lda, bool add,
                                                                   float *y, int n_vectors)
{
    __m256 sum[8];

    UNROLL for (int v = 0; v < n_vectors; v++)
        sum[v] = add ? _mm256_loadu_ps(y + v * W) : _mm256_setzero_ps();
    for (int64_t i = 0; i < k; i++, a += lda) {
        __m256 factor = _mm256_set1_ps(x[i]);

        UNROLL for (int v = 0; v < n_vectors; v++)
            sum[v] = _mm256_fmadd_ps(_mm256_loadu_ps(a + v * W), factor, sum[v]);
    }
    UNROLL for (int v = 0; v < n_vectors; v++)
        _mm256_storeu_ps(y + v * W, sum[v]);
}

/* The last columns, fewer than a vector. */
static void multiply_end(int64_t k, int64_t n, const float *x, const float *a, int64_t lda, bool add, float *y)
{
    __m256i mask = tail_mask(n);
    __m256 sum = add ? _mm256_maskload_ps(y, mask) : _mm256_setzero_ps();

    for (int64_t i = 0; i < k; i++)
        sum = _mm256_fmadd_ps(_mm256_maskload_ps(a + i * lda, mask), _mm256_set1_ps(x[i]), sum);
    _mm256_maskstore_ps(y, mask, sum);
}

static void vector_panel(int64_t k, int64_t n, const float *x, const void *panel, bool add, float *y)
{
    const float *a = panel;
    int64_t j = 0;

    for (; j + 8 * W <= n; j += 8 * W)
        multiply_columns(k, x, a + j, n, add, y + j, 8);
    for (; j + W <= n; j += W)
        multiply_columns(k, x, a + j, n, add, y + j, 1);
    if (j < n)
        multiply_end(k, n - j, x, a + j, n, add, y + j);
}

static void product_bfloat(const GemmJob *job)
{
    gemm_ref.product_bfloat(job);
}

static bool bfloat_is_fast(void)
{
    return false;
}

const GemmKernels gemm_avx2 = {.product = product,
                               .product_bfloat = product_bfloat,
                               .bfloat_is_fast = bfloat_is_fast,
                               .matrix_vector = matrix_vector,
                               .panel_columns = 8 * W,
                               .panel_size = gemm_float_panel_size,
                               .fill_panel = gemm_fill_float_panel,
                               .vector_panel = vector_panel};
