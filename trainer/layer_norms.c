/* layer_norms.c - names to parts, sums over parts.
 *
 * SPDX-License-Identifier: MIT
 */
#include "trainer/layer_norms.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

#include "engine/base/mem.h"

/* Length of the beginning that names the part. */
static size_t part_len(const char *name)
{
    const char *dot = strchr(name, '.'), *second = dot ? strchr(dot + 1, '.') : NULL;

    for (const char *at = dot; at; at = strchr(at + 1, '.'))
        if (isdigit((unsigned char)at[1]))
            return (size_t)(at - name) + 1 + strspn(at + 1, "0123456789");
    return second ? (size_t)(second - name) : strlen(name);
}

static int find_part(LayerNorms *norms, const char *name)
{
    size_t len = part_len(name);

    if (len >= LAYER_NAME_SIZE)
        len = LAYER_NAME_SIZE - 1;
    for (int i = 0; i < norms->n; i++)
        if (strlen(norms->names[i]) == len && !strncmp(norms->names[i], name, len))
            return i;
    if (norms->n == LAYER_NORMS_MAX)
        return -1;
    memcpy(norms->names[norms->n], name, len);
    return norms->n++;
}

RsdStatus layer_norms_create(LayerNorms **out, const ParamSet *params, RsdError *err)
{
    LayerNorms *norms = NULL;
    RsdStatus status = RSD_OK;

    *out = NULL;
    TRY(mem_calloc(&norms, 1, sizeof *norms, err));
    TRY(mem_alloc(&norms->parts, params->n_items, sizeof *norms->parts, err));
    for (size_t i = 0; i < params->n_items; i++)
        norms->parts[i] = params->items[i].trainable ? find_part(norms, params->items[i].name) : -1;
    TRY(mem_alloc(&norms->before, (size_t)params_count_elements(params, true) + 1, sizeof *norms->before, err));
    *out = norms;
    return RSD_OK;
fail:
    layer_norms_destroy(&norms);
    return status;
}

void layer_norms_destroy(LayerNorms **norms)
{
    if (!*norms)
        return;
    mem_free(&(*norms)->parts);
    mem_free(&(*norms)->before);
    mem_free(norms);
}

void layer_norms_before(LayerNorms *norms, const ParamSet *params)
{
    double sums[LAYER_NORMS_MAX] = {0};
    float *before = norms->before;

    for (size_t i = 0; i < params->n_items; i++) {
        const Tensor *tensor = params->items[i].tensor;
        int64_t count = tensor_count(tensor);

        if (!params->items[i].trainable)
            continue;
        memcpy(before, tensor->data, (size_t)count * sizeof *before);
        before += count;
        for (int64_t j = 0; norms->parts[i] >= 0 && j < count; j++)
            sums[norms->parts[i]] += (double)tensor->grad[j] * (double)tensor->grad[j];
    }
    for (int i = 0; i < norms->n; i++)
        norms->grads[i] = (float)sqrt(sums[i]);
}

void layer_norms_after(LayerNorms *norms, const ParamSet *params)
{
    double moved[LAYER_NORMS_MAX] = {0}, size[LAYER_NORMS_MAX] = {0};
    const float *before = norms->before;

    for (size_t i = 0; i < params->n_items; i++) {
        const Tensor *tensor = params->items[i].tensor;
        int64_t count = tensor_count(tensor);
        int part = norms->parts[i];

        if (!params->items[i].trainable)
            continue;
        for (int64_t j = 0; part >= 0 && j < count; j++) {
            double step = (double)tensor->data[j] - (double)before[j];

            moved[part] += step * step;
            size[part] += (double)before[j] * (double)before[j];
        }
        before += count;
    }
    for (int i = 0; i < norms->n; i++)
        norms->ratios[i] = size[i] > 0.0 ? (float)sqrt(moved[i] / size[i]) : 0.0f;
}
