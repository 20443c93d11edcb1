/* program_heap.c - glibc's heap grows at once to more than a short program needs, and asks for large pages there. What is not touched
 * costs nothing.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/base/program_heap.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#if defined(__GLIBC__)
#include <malloc.h>
#endif

#define LARGE_PAGE ((size_t)1 << 21) /* blocks from here on are for mmap */
#define HEAP_SIZE ((size_t)1 << 26)

void program_heap_in_large_pages(void)
{
#if defined(__GLIBC__) && defined(MADV_HUGEPAGE)
    const int is_set = mallopt(M_MMAP_THRESHOLD, LARGE_PAGE) && mallopt(M_TRIM_THRESHOLD, 2 * HEAP_SIZE) && mallopt(M_TOP_PAD, HEAP_SIZE);
    void *block = is_set ? malloc(1) : NULL; /* the heap grows */
    const uintptr_t end = (uintptr_t)sbrk(0), first = ((uintptr_t)block + LARGE_PAGE - 1) / LARGE_PAGE * LARGE_PAGE;

    if (block && first < end && end - first <= 2 * HEAP_SIZE) /* else another allocator than the usual one */
        (void)madvise((void *)first, (end - first) / LARGE_PAGE * LARGE_PAGE, MADV_HUGEPAGE);
    free(block);
#endif
}
