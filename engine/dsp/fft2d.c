/* fft2d.c - rows by real transforms, columns as pairs of real transforms.
 *
 * A column a + i b of the half spectrum is complex. Its transform is A + i B with A and B those of the real columns a and b;
 * beyond the middle A[n - k] = conj A[k]. Backwards, A and B are the parts of Z with and without that symmetry.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/dsp/fft2d.h"

#include "engine/base/mem.h"
#include "engine/dsp/fft.h"

struct Fft2d {
    int h, w, bins;
    Fft *row, *column;
};

static size_t aligned(size_t size)
{
    return (size + MEM_ALIGN - 1) / MEM_ALIGN * MEM_ALIGN;
}

RsdStatus fft2d_create(Fft2d **out, int h, int w, RsdError *err)
{
    Fft2d *plan = NULL;
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(mem_calloc(&plan, 1, sizeof *plan, err));
    plan->h = h;
    plan->w = w;
    TRY(fft_create(&plan->row, w, FFT_DOUBLE, err));
    TRY(fft_create(&plan->column, h, FFT_DOUBLE, err));
    plan->bins = fft_bins(plan->row);
    *out = plan;
    return RSD_OK;
fail:
    fft2d_destroy(&plan);
    return status;
}

void fft2d_destroy(Fft2d **plan)
{
    if (!*plan)
        return;
    fft_destroy(&(*plan)->row);
    fft_destroy(&(*plan)->column);
    mem_free(plan);
}

int fft2d_bins(const Fft2d *plan)
{
    return plan->bins;
}

/* Two columns, or their spectra, and what the one-dimensional transforms want. */
static size_t column_size(const Fft2d *plan)
{
    return aligned((size_t)(plan->h + 2) * sizeof(double));
}

size_t fft2d_work_size(const Fft2d *plan)
{
    const size_t row = fft_work_size(plan->row), column = fft_work_size(plan->column);

    return 2 * column_size(plan) + aligned(row > column ? row : column);
}

void fft2d_forward(const Fft2d *plan, const double *x, double *spectrum, void *work)
{
    const int h = plan->h, bins = plan->bins;
    double *a = work, *b = (double *)(void *)((char *)work + column_size(plan));
    void *rest = (char *)work + 2 * column_size(plan);

    for (int r = 0; r < h; r++)
        fft_forward_f64(plan->row, x + (size_t)r * (size_t)plan->w, spectrum + (size_t)r * (size_t)bins * 2, rest);
    for (int c = 0; c < bins; c++) {
        double *z = spectrum + 2 * c;
        const size_t step = 2 * (size_t)bins;

        for (int r = 0; r < h; r++) {
            a[r] = z[(size_t)r * step];
            b[r] = z[(size_t)r * step + 1];
        }
        fft_forward_f64(plan->column, a, a, rest);
        fft_forward_f64(plan->column, b, b, rest);
        for (int r = 0; r < h; r++) {
            const int k = r <= h / 2 ? r : h - r;
            const double sign = r <= h / 2 ? 1.0 : -1.0;

            z[(size_t)r * step] = a[2 * k] - sign * b[2 * k + 1];
            z[(size_t)r * step + 1] = sign * a[2 * k + 1] + b[2 * k];
        }
    }
}

void fft2d_inverse(const Fft2d *plan, double *spectrum, double *x, void *work)
{
    const int h = plan->h, bins = plan->bins;
    double *a = work, *b = (double *)(void *)((char *)work + column_size(plan));
    void *rest = (char *)work + 2 * column_size(plan);

    for (int c = 0; c < bins; c++) {
        double *z = spectrum + 2 * c;
        const size_t step = 2 * (size_t)bins;

        for (int k = 0; k <= h / 2; k++) {
            const double *near = z + (size_t)k * step, *far = z + (size_t)((h - k) % h) * step;

            a[2 * k] = 0.5 * (near[0] + far[0]);
            a[2 * k + 1] = 0.5 * (near[1] - far[1]);
            b[2 * k] = 0.5 * (near[1] + far[1]);
            b[2 * k + 1] = 0.5 * (far[0] - near[0]);
        }
        fft_inverse_f64(plan->column, a, a, rest);
        fft_inverse_f64(plan->column, b, b, rest);
        for (int r = 0; r < h; r++) {
            z[(size_t)r * step] = a[r];
            z[(size_t)r * step + 1] = b[r];
        }
    }
    for (int r = 0; r < h; r++)
        fft_inverse_f64(plan->row, spectrum + (size_t)r * (size_t)bins * 2, x + (size_t)r * (size_t)plan->w, rest);
}
