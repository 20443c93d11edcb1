/* picture_dct.c - cosine transforms of blocks in plain C.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/kernels/ref/picture_ref.h"

/* cos(pi u (2 k + 1) / 16) sqrt((u ? 2 : 1) / 8) */
static const float dct_basis[PICTURE_DCT][PICTURE_DCT] = {
    {0.353553390593f, 0.353553390593f, 0.353553390593f, 0.353553390593f, 0.353553390593f, 0.353553390593f, 0.353553390593f,
     0.353553390593f},
    {0.490392640202f, 0.415734806151f, 0.277785116510f, 0.097545161008f, -0.097545161008f, -0.277785116510f,
     -0.415734806151f, -0.490392640202f},
    {0.461939766256f, 0.191341716183f, -0.191341716183f, -0.461939766256f, -0.461939766256f, -0.191341716183f,
     0.191341716183f, 0.461939766256f},
    {0.415734806151f, -0.097545161008f, -0.490392640202f, -0.277785116510f, 0.277785116510f, 0.490392640202f,
     0.097545161008f, -0.415734806151f},
    {0.353553390593f, -0.353553390593f, -0.353553390593f, 0.353553390593f, 0.353553390593f, -0.353553390593f,
     -0.353553390593f, 0.353553390593f},
    {0.277785116510f, -0.490392640202f, 0.097545161008f, 0.415734806151f, -0.415734806151f, -0.097545161008f,
     0.490392640202f, -0.277785116510f},
    {0.191341716183f, -0.461939766256f, 0.461939766256f, -0.191341716183f, -0.191341716183f, 0.461939766256f,
     -0.461939766256f, 0.191341716183f},
    {0.097545161008f, -0.277785116510f, 0.415734806151f, -0.490392640202f, 0.490392640202f, -0.415734806151f,
     0.277785116510f, -0.097545161008f}};

void ref_dct8(const float *x, int64_t stride, int64_t n_blocks, float *y, int64_t y_stride)
{
    for (int64_t b = 0; b < n_blocks; b++) {
        float rows[PICTURE_DCT][PICTURE_DCT]; /* [place down][frequency across] */

        for (int r = 0; r < PICTURE_DCT; r++)
            for (int v = 0; v < PICTURE_DCT; v++) {
                float sum = 0.0f;

                for (int k = 0; k < PICTURE_DCT; k++)
                    sum += dct_basis[v][k] * x[r * stride + b * PICTURE_DCT + k];
                rows[r][v] = sum;
            }
        for (int u = 0; u < PICTURE_DCT; u++)
            for (int v = 0; v < PICTURE_DCT; v++) {
                float sum = 0.0f;

                for (int r = 0; r < PICTURE_DCT; r++)
                    sum += dct_basis[u][r] * rows[r][v];
                y[(u * PICTURE_DCT + v) * y_stride + b] = sum;
            }
    }
}

void ref_dct8_inverse(const float *y, int64_t y_stride, int64_t n_blocks, float *x, int64_t stride)
{
    for (int64_t b = 0; b < n_blocks; b++) {
        float rows[PICTURE_DCT][PICTURE_DCT]; /* [place down][frequency across] */

        for (int r = 0; r < PICTURE_DCT; r++)
            for (int v = 0; v < PICTURE_DCT; v++) {
                float sum = 0.0f;

                for (int u = 0; u < PICTURE_DCT; u++)
                    sum += dct_basis[u][r] * y[(u * PICTURE_DCT + v) * y_stride + b];
                rows[r][v] = sum;
            }
        for (int r = 0; r < PICTURE_DCT; r++)
            for (int k = 0; k < PICTURE_DCT; k++) {
                float sum = 0.0f;

                for (int v = 0; v < PICTURE_DCT; v++)
                    sum += dct_basis[v][k] * rows[r][v];
                x[r * stride + b * PICTURE_DCT + k] = sum;
            }
    }
}
