/* point_step_avx2.c - one step of an LSTM cell, of Adam and of a moving average.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/kernels/x86/point_avx2.h"
#include "engine/kernels/x86/vmath_avx2.h"

void avx2_lstm_cell(float *gates, int64_t stride, const float *c_prev, float *c, float *h, int64_t n)
{
    float *const gi = gates, *const gf = gates + stride, *const gg = gates + 2 * stride, *const go = gates + 3 * stride;

    EACH_VECTOR(n, const __m256 in = v_sigmoid(LOAD(gi)); const __m256 forget = v_sigmoid(LOAD(gf));
                const __m256 g = v_tanh(LOAD(gg)); const __m256 out = v_sigmoid(LOAD(go));
                const __m256 cell = _mm256_fmadd_ps(forget, LOAD(c_prev), _mm256_mul_ps(in, g));
                STORE(gi, in); STORE(gf, forget); STORE(gg, g); STORE(go, out); STORE(c, cell);
                STORE(h, _mm256_mul_ps(out, v_tanh(cell))););
}

void avx2_lstm_cell_grad(float *gates, int64_t stride, const float *c_prev, const float *c, const float *dh, float *dc,
                         int64_t n)
{
    float *const gi = gates, *const gf = gates + stride, *const gg = gates + 2 * stride, *const go = gates + 3 * stride;
    const __m256 one = v_set(1.0f);

    EACH_VECTOR(n, const __m256 in = LOAD(gi); const __m256 forget = LOAD(gf); const __m256 g = LOAD(gg);
                const __m256 out = LOAD(go); const __m256 t = v_tanh(LOAD(c)); const __m256 d = LOAD(dh);
                const __m256 total = _mm256_fmadd_ps(_mm256_mul_ps(d, out), _mm256_fnmadd_ps(t, t, one), LOAD(dc));
                STORE(gi, _mm256_mul_ps(_mm256_mul_ps(total, g), _mm256_fnmadd_ps(in, in, in)));
                STORE(gf, _mm256_mul_ps(_mm256_mul_ps(total, LOAD(c_prev)), _mm256_fnmadd_ps(forget, forget, forget)));
                STORE(gg, _mm256_mul_ps(_mm256_mul_ps(total, in), _mm256_fnmadd_ps(g, g, one)));
                STORE(go, _mm256_mul_ps(_mm256_mul_ps(d, t), _mm256_fnmadd_ps(out, out, out)));
                STORE(dc, _mm256_mul_ps(total, forget)););
}

void avx2_adam(float *p, float *m, float *v, const float *g, int64_t n, const AdamStep *step)
{
    const __m256 keep = v_set(1.0f - step->lr * step->decay), rate = v_set(step->lr * step->correct1);
    const __m256 beta1 = v_set(step->beta1), beta2 = v_set(step->beta2), eps = v_set(step->eps);
    const __m256 rest1 = v_set(1.0f - step->beta1), rest2 = v_set(1.0f - step->beta2);
    const __m256 correct2 = v_set(step->correct2), grad_scale = v_set(step->grad_scale);

    EACH_VECTOR(n, const __m256 d = _mm256_mul_ps(LOAD(g), grad_scale);
                const __m256 mean = _mm256_fmadd_ps(beta1, LOAD(m), _mm256_mul_ps(rest1, d));
                const __m256 square = _mm256_fmadd_ps(beta2, LOAD(v), _mm256_mul_ps(rest2, _mm256_mul_ps(d, d)));
                const __m256 root = _mm256_add_ps(_mm256_sqrt_ps(_mm256_mul_ps(square, correct2)), eps);
                STORE(m, mean); STORE(v, square);
                STORE(p, _mm256_fmsub_ps(LOAD(p), keep, _mm256_div_ps(_mm256_mul_ps(rate, mean), root))););
}

void avx2_track(float *average, const float *p, float decay, int64_t n)
{
    const __m256 rate = v_set(1.0f - decay);

    EACH_VECTOR(n, const __m256 old = LOAD(average);
                STORE(average, _mm256_fmadd_ps(rate, _mm256_sub_ps(LOAD(p), old), old)););
}
