/* search.c - packed codebooks, the same for every kernel set.
 *
 *   panel 0: [-|e|^2 / 2 of codes 0..3] [e of codes 0..3 for d = 0] [d = 1] ... ; panel 1: codes 4..7; ...
 *
 * Four codes side by side are what the vector kernels broadcast from. Codes missing in the last panel have the score -inf,
 * which is never larger than that of a real code.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/kernels/search.h"

#include <math.h>

size_t search_packed_count(int64_t n_codes, int64_t dim)
{
    return (size_t)((n_codes + SEARCH_PANEL - 1) / SEARCH_PANEL * SEARCH_PANEL * (dim + 1));
}

void search_pack(SearchBook *book, const float *e)
{
    int64_t dim = book->dim;

    for (int64_t first = 0; first < book->n_codes; first += SEARCH_PANEL) {
        float *panel = book->packed + first * (dim + 1);

        for (int64_t i = 0; i < SEARCH_PANEL; i++) {
            const float *code = e + (first + i) * dim;
            double norm = 0.0;

            if (first + i >= book->n_codes) {
                for (int64_t d = 0; d <= dim; d++)
                    panel[d * SEARCH_PANEL + i] = d == 0 ? -INFINITY : 0.0f;
                continue;
            }
            for (int64_t d = 0; d < dim; d++) {
                norm += (double)code[d] * (double)code[d];
                panel[(d + 1) * SEARCH_PANEL + i] = code[d];
            }
            panel[i] = (float)(-0.5 * norm);
        }
    }
}
