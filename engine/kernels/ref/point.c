/* point.c - the reference set of point kernels as one table.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/kernels/ref/point_ref.h"

const PointKernels point_ref = {
    .map = ref_map,
    .map_grad = ref_map_grad,
    .pair = ref_pair,
    .pair_grad_a = ref_pair_grad_a,
    .pair_grad_b = ref_pair_grad_b,
    .pair_grad_one = ref_pair_grad_one,
    .snake = ref_snake,
    .snake_grad = ref_snake_grad,
    .sum = ref_sum,
    .dot = ref_dot,
    .sum_sq_dev = ref_sum_sq_dev,
    .sum_abs_diff = ref_sum_abs_diff,
    .sum_sq_diff = ref_sum_sq_diff,
    .sum_columns = ref_sum_columns,
    .max_abs = ref_max_abs,
    .all_finite = ref_all_finite,
    .abs_diff_grad = ref_abs_diff_grad,
    .sq_diff_grad = ref_sq_diff_grad,
    .settle = ref_settle,
    .fill = ref_fill,
    .scale = ref_scale,
    .reverse = ref_reverse,
    .blend = ref_blend,
    .transpose = ref_transpose,
    .norm_columns = ref_norm_columns,
    .norm_columns_grad = ref_norm_columns_grad,
    .softmax = ref_softmax,
    .softmax_grad = ref_softmax_grad,
    .lstm_cell = ref_lstm_cell,
    .lstm_cell_grad = ref_lstm_cell_grad,
    .adam = ref_adam,
    .track = ref_track,
    .to_half = ref_to_half,
    .from_half = ref_from_half,
};
