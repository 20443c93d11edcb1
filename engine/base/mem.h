/* mem.h - allocation with overflow checks, alignment and a test hook that lets the n-th allocation fail.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_MEM_H
#define RESIDUA_MEM_H

#include <stddef.h>
#include <stdint.h>

#include "engine/base/error.h"

#define MEM_ALIGN 64 /* one cache line; every block starts on it, so kernels may use aligned loads at the start */

/* Stores a new block of count * size bytes in *(void **)out. Contents are zero for mem_calloc, undefined for mem_alloc.
 * count * size == 0 gives a valid block. Errors: RSD_ERR_MEMORY (overflow included); *out is then NULL.
 * Free with mem_free. Any thread. */
RsdStatus mem_alloc(void *out, size_t count, size_t size, RsdError *err);
RsdStatus mem_calloc(void *out, size_t count, size_t size, RsdError *err);

/* Grows or shrinks *(void **)block from old_count to new_count elements, keeping what fits; new bytes are undefined.
 * *block may be NULL when old_count is 0. On error the old block stays as it was. */
RsdStatus mem_resize(void *block, size_t old_count, size_t new_count, size_t size, RsdError *err);

/* Copy of a string. */
RsdStatus mem_strdup(char **out, const char *text, RsdError *err);

/* Frees *(void **)block and sets it to NULL; accepts NULL inside. */
void mem_free(void *block);

/* Tests: the allocation number `n` from now on (0 = the next) fails once; n < 0 turns this off. */
void mem_fail_after(int64_t n);
/* Tests: number of allocations made since the program started. */
int64_t mem_allocation_count(void);

#endif
