/* hashed_net.c - weights from a hash of their place.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/losses/hashed_net.h"

#include <math.h>

#include "engine/base/mem.h"
#include "engine/weights/safetensors.h"
#include "tests/shared.h"

const HashedConv hashed_vgg16[] = {
    {0, 64, 3, 3},     {2, 64, 64, 3},    {5, 128, 64, 3},   {7, 128, 128, 3},  {10, 256, 128, 3},
    {12, 256, 256, 3}, {14, 256, 256, 3}, {17, 512, 256, 3}, {19, 512, 512, 3}, {21, 512, 512, 3},
    {24, 512, 512, 3}, {26, 512, 512, 3}, {28, 512, 512, 3}, {0, 0, 0, 0}};
const HashedConv hashed_alex[] = {{0, 64, 3, 11},   {3, 192, 64, 5},   {6, 384, 192, 3},
                                  {8, 256, 384, 3}, {10, 256, 256, 3}, {0, 0, 0, 0}};

static uint64_t hash_bits(uint64_t seed, uint64_t tensor, uint64_t k)
{
    uint64_t z = seed * 1000003u + tensor + (k + 1) * 0x9E3779B97F4A7C15u;

    z ^= z >> 30;
    z *= 0xBF58476D1CE4E5B9u;
    z ^= z >> 27;
    z *= 0x94D049BB133111EBu;
    z ^= z >> 31;
    return z >> 40;
}

static void add_hashed(SafetensorsWriter *writer, const char *name, int n_dims, const int64_t *shape, uint64_t seed,
                       uint64_t tensor, double bound, float **keep)
{
    int64_t count = 1;
    RsdError err = {0};

    for (int i = 0; i < n_dims; i++)
        count *= shape[i];
    ASSERT_OK(mem_alloc(keep, (size_t)count, sizeof(float), &err), err);
    for (int64_t k = 0; k < count; k++)
        (*keep)[k] = (float)((2.0 * (double)hash_bits(seed, tensor, (uint64_t)k) / 16777216.0 - 1.0) * bound);
    ASSERT_OK(safetensors_writer_f32(writer, name, n_dims, shape, *keep, DTYPE_F32, &err), err);
}

void hashed_net_write(const char *path, const HashedConv *convs, uint64_t seed)
{
    SafetensorsWriter *writer;
    float *kept[32];
    int n = 0;
    RsdError err = {0};

    ASSERT_OK(safetensors_writer_create(&writer, &err), err);
    for (int i = 0; convs[i].c_out; i++) {
        const HashedConv *c = &convs[i];
        const int64_t shape[] = {c->c_out, c->c_in, c->k, c->k};
        char array[48];

        snprintf(array, sizeof array, "features.%d.weight", c->number);
        add_hashed(writer, array, 4, shape, seed, (uint64_t)(2 * i), sqrt(6.0 / (c->c_in * c->k * c->k)), &kept[n++]);
        snprintf(array, sizeof array, "features.%d.bias", c->number);
        add_hashed(writer, array, 1, shape, seed, (uint64_t)(2 * i + 1), 0.05, &kept[n++]);
    }
    ASSERT_OK(safetensors_writer_finish(writer, path, &err), err);
    safetensors_writer_destroy(&writer);
    while (n > 0)
        mem_free(&kept[--n]);
}
