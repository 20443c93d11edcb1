/* group.h - several processes that train one model together, each on its part of every batch.
 *
 * Member r has items r B .. r B + B - 1 of a batch of size B. Whatever depends on the whole batch (gradients, sums of a
 * codebook, norms) is summed over the members in the order of their ranks, so that all of them have the same bits and take
 * the same decisions. NULL is a group of one. Who makes a group: trainer/comm.h.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_GROUP_H
#define RESIDUA_GROUP_H

#include <stddef.h>
#include <string.h>

typedef struct Group Group;
struct Group {
    int rank, size;
    /* x [n] becomes the sum over all members. All of them call it, in the same order, with the same n. */
    void (*sum_f32)(Group *group, float *x, size_t n);
    void (*sum_f64)(Group *group, double *x, size_t n);
    /* all [size members] becomes everyone's bytes [size], by rank. All of them call it with the same size. */
    void (*gather)(Group *group, const void *bytes, size_t size, void *all);
};

static inline int group_rank(const Group *group)
{
    return group ? group->rank : 0;
}

static inline int group_size(const Group *group)
{
    return group ? group->size : 1;
}

static inline void group_sum_f32(Group *group, float *x, size_t n)
{
    if (group_size(group) > 1)
        group->sum_f32(group, x, n);
}

static inline void group_sum_f64(Group *group, double *x, size_t n)
{
    if (group_size(group) > 1)
        group->sum_f64(group, x, n);
}

static inline void group_gather(Group *group, const void *bytes, size_t size, void *all)
{
    if (group_size(group) > 1)
        group->gather(group, bytes, size, all);
    else
        memcpy(all, bytes, size);
}

#endif
