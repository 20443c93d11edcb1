/* image_expected.h - made by tests/losses/image_reference.py with numpy 1.24.2; do not edit.
 *
 * SPDX-License-Identifier: MIT
 */
static const struct ImageCase {
    int h, w;
    unsigned seed, level;
    double psnr_hvs_m, ssimulacra2, spectral_norm;
} image_cases[] = {
    {120, 136, 1, 12, 47.19133797, 87.96976329, 0.002709793696},
    {131, 117, 2, 40, 36.01713373, 62.38370484, 0.00803399242},
    {200, 160, 3, 120, 24.55834782, 9.854466318, 0.01990154928},
    {128, 128, 4, 3, 58.10398852, 96.5118058, 0.0005521872384},
};
