/* mem.c - allocation with overflow checks and an injectable failure.
 *
 * The hook is one atomic counter; without a test it costs one relaxed load per allocation.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/base/mem.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#if defined(__GLIBC__)
#include <malloc.h>
#endif

/* Blocks from HUGE_FROM bytes on are aligned to a large page and ask for large pages: kernels that walk over rows far apart
 * otherwise spend their time on address translation, and 20 MB of new memory cost 14 ms to touch instead of 2. */
#define HUGE_PAGE ((size_t)1 << 21)
#define HUGE_FROM HUGE_PAGE
/* Smaller ones from FILL_FROM bytes on get all of their pages at once, not one by one as they are touched. */
#define SMALL_PAGE ((size_t)1 << 12)
#define FILL_FROM ((size_t)1 << 16)

/* From here on a block's pages go back to the system when it is freed. A program whose heap begins large (program_heap.h) would keep
 * them: weights that are laid out for the kernels and freed, one after the other, left 40 MB there. */
#define GIVE_BACK_FROM ((size_t)8 << 20)

static _Atomic int64_t fail_countdown = -1;
static _Atomic int64_t n_allocations;

static int must_fail(void)
{
    if (atomic_load_explicit(&fail_countdown, memory_order_relaxed) < 0)
        return 0;
    return atomic_fetch_sub(&fail_countdown, 1) == 0;
}

/* Wishes: without them all works, slower. */
static void ask_for_pages(void *block, size_t bytes)
{
#if defined(MADV_HUGEPAGE)
    if (bytes >= HUGE_FROM)
        (void)madvise(block, bytes / HUGE_PAGE * HUGE_PAGE, MADV_HUGEPAGE);
#endif
#if defined(MADV_POPULATE_WRITE)
    if (bytes >= FILL_FROM && bytes < HUGE_FROM) {
        const uintptr_t first = ((uintptr_t)block + SMALL_PAGE - 1) / SMALL_PAGE * SMALL_PAGE;

        (void)madvise((void *)first, ((uintptr_t)block + bytes - first) / SMALL_PAGE * SMALL_PAGE, MADV_POPULATE_WRITE);
    }
#endif
}

static void *allocate(size_t count, size_t size)
{
    size_t bytes;
    void *block = NULL;

    if (__builtin_mul_overflow(count, size, &bytes) || bytes > SIZE_MAX / 2 || must_fail())
        return NULL;
    atomic_fetch_add_explicit(&n_allocations, 1, memory_order_relaxed);
    bytes = (bytes + MEM_ALIGN) / MEM_ALIGN * MEM_ALIGN; /* never zero */
    if (posix_memalign(&block, bytes >= HUGE_FROM ? HUGE_PAGE : MEM_ALIGN, bytes) != 0)
        return NULL;
    ask_for_pages(block, bytes);
    return block;
}

RsdStatus mem_alloc(void *out, size_t count, size_t size, RsdError *err)
{
    void *block = allocate(count, size);

    memcpy(out, &block, sizeof block);
    if (!block)
        return error_set(err, RSD_ERR_MEMORY, "cannot allocate %zu x %zu bytes", count, size);
    return RSD_OK;
}

RsdStatus mem_calloc(void *out, size_t count, size_t size, RsdError *err)
{
    void *block = allocate(count, size);

    memcpy(out, &block, sizeof block);
    if (!block)
        return error_set(err, RSD_ERR_MEMORY, "cannot allocate %zu x %zu bytes", count, size);
    memset(block, 0, count * size);
    return RSD_OK;
}

/* A wish, too. */
static void give_pages_back(void *block)
{
#if defined(__GLIBC__)
    const size_t bytes = block ? malloc_usable_size(block) : 0;

    if (bytes >= GIVE_BACK_FROM) {
        const uintptr_t first = ((uintptr_t)block + SMALL_PAGE - 1) / SMALL_PAGE * SMALL_PAGE;

        (void)madvise((void *)first, ((uintptr_t)block + bytes - first) / SMALL_PAGE * SMALL_PAGE, MADV_DONTNEED);
    }
#else
    (void)block;
#endif
}

RsdStatus mem_resize(void *block, size_t old_count, size_t new_count, size_t size, RsdError *err)
{
    void *old, *grown = allocate(new_count, size);
    size_t kept = old_count < new_count ? old_count : new_count;

    if (!grown)
        return error_set(err, RSD_ERR_MEMORY, "cannot allocate %zu x %zu bytes", new_count, size);
    memcpy(&old, block, sizeof old);
    if (old)
        memcpy(grown, old, kept * size);
    give_pages_back(old);
    free(old);
    memcpy(block, &grown, sizeof grown);
    return RSD_OK;
}

RsdStatus mem_strdup(char **out, const char *text, RsdError *err)
{
    size_t size = strlen(text) + 1;
    RsdStatus status = mem_alloc(out, size, 1, err);

    if (status == RSD_OK)
        memcpy(*out, text, size);
    return status;
}

void mem_free(void *block)
{
    void *old, *null = NULL;

    memcpy(&old, block, sizeof old);
    give_pages_back(old);
    free(old);
    memcpy(block, &null, sizeof null);
}

void mem_fail_after(int64_t n)
{
    atomic_store(&fail_countdown, n);
}

int64_t mem_allocation_count(void)
{
    return atomic_load(&n_allocations);
}
