/* point_avx2.c - the AVX2 set of point kernels as one table.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/kernels/x86/point_avx2.h"

const PointKernels point_avx2 = {
    .map = avx2_map,
    .map_grad = avx2_map_grad,
    .pair = avx2_pair,
    .pair_grad_a = avx2_pair_grad_a,
    .pair_grad_b = avx2_pair_grad_b,
    .pair_grad_one = avx2_pair_grad_one,
    .snake = avx2_snake,
    .snake_grad = avx2_snake_grad,
    .sum = avx2_sum,
    .dot = avx2_dot,
    .sum_sq_dev = avx2_sum_sq_dev,
    .sum_abs_diff = avx2_sum_abs_diff,
    .sum_sq_diff = avx2_sum_sq_diff,
    .sum_columns = avx2_sum_columns,
    .max_abs = avx2_max_abs,
    .all_finite = avx2_all_finite,
    .abs_diff_grad = avx2_abs_diff_grad,
    .sq_diff_grad = avx2_sq_diff_grad,
    .settle = avx2_settle,
    .fill = avx2_fill,
    .scale = avx2_scale,
    .reverse = avx2_reverse,
    .blend = avx2_blend,
    .transpose = avx2_transpose,
    .norm_columns = avx2_norm_columns,
    .norm_columns_grad = avx2_norm_columns_grad,
    .softmax = avx2_softmax,
    .softmax_grad = avx2_softmax_grad,
    .lstm_cell = avx2_lstm_cell,
    .lstm_cell_grad = avx2_lstm_cell_grad,
    .adam = avx2_adam,
    .track = avx2_track,
    .to_half = avx2_to_half,
    .from_half = avx2_from_half,
};
