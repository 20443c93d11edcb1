/* test_mem.c - alignment, overflow, growth and the failure hook.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdint.h>
#include <string.h>

#include "engine/base/mem.h"
#include "tests/shared.h"

Test(mem, blocks_start_on_a_cache_line_and_calloc_is_zero)
{
    RsdError err;

    for (size_t size = 0; size < 300; size++) {
        unsigned char *plain, *zero;

        ASSERT_OK(mem_alloc(&plain, size, 1, &err), err);
        memset(plain, 255, size);
        ASSERT_OK(mem_calloc(&zero, 1, size, &err), err);
        cr_assert(plain && zero && (uintptr_t)plain % MEM_ALIGN == 0 && (uintptr_t)zero % MEM_ALIGN == 0);
        for (size_t i = 0; i < size; i++)
            cr_assert_eq(zero[i], 0);
        mem_free(&plain);
        mem_free(&zero);
        cr_assert(plain == NULL && zero == NULL);
        mem_free(&zero);
    }
}

Test(mem, overflow_is_an_error_and_gives_null)
{
    RsdError err;
    void *block = &err;

    ASSERT_FAILS(mem_alloc(&block, SIZE_MAX / 2 + 1, 2, &err), RSD_ERR_MEMORY, err, "9223372036854775808 x 2 bytes");
    cr_assert_null(block);
    ASSERT_FAILS(mem_calloc(&block, SIZE_MAX, SIZE_MAX, &err), RSD_ERR_MEMORY, err, "cannot allocate");
    ASSERT_FAILS(mem_alloc(&block, SIZE_MAX, 1, &err), RSD_ERR_MEMORY, err, "cannot allocate");
    ASSERT_FAILS(mem_alloc(&block, SIZE_MAX / 2 - 64, 1, &err), RSD_ERR_MEMORY, err, "cannot allocate");
    cr_assert_eq(mem_alloc(&block, SIZE_MAX, 2, NULL), RSD_ERR_MEMORY);
}

Test(mem, resize_keeps_what_fits_and_the_old_block_on_failure)
{
    RsdError err;
    int *block = NULL;

    ASSERT_OK(mem_resize(&block, 0, 10, sizeof *block, &err), err);
    for (int i = 0; i < 10; i++)
        block[i] = i;
    ASSERT_OK(mem_resize(&block, 10, 1000, sizeof *block, &err), err);
    for (int i = 0; i < 10; i++)
        cr_assert_eq(block[i], i);
    ASSERT_OK(mem_resize(&block, 1000, 5, sizeof *block, &err), err);
    ASSERT_FAILS(mem_resize(&block, 5, SIZE_MAX, sizeof *block, &err), RSD_ERR_MEMORY, err, "cannot allocate");
    mem_fail_after(0);
    ASSERT_FAILS(mem_resize(&block, 5, 6, sizeof *block, &err), RSD_ERR_MEMORY, err, "6 x 4 bytes");
    for (int i = 0; i < 5; i++)
        cr_assert_eq(block[i], i);
    mem_free(&block);
}

Test(mem, fail_after_lets_exactly_one_allocation_fail)
{
    RsdError err;

    for (int n = 0; n < 5; n++) {
        mem_fail_after(n);
        for (int i = 0; i < 10; i++) {
            void *block;
            RsdStatus status = mem_alloc(&block, 1, 1, &err);

            cr_assert_eq(status, i == n ? RSD_ERR_MEMORY : RSD_OK, "allocation %d of a run that fails at %d", i, n);
            mem_free(&block);
        }
    }
}

Test(mem, count_grows_by_one_for_each_allocation)
{
    int64_t before = mem_allocation_count();
    RsdError err;
    char *text;

    ASSERT_OK(mem_strdup(&text, "a text", &err), err);
    cr_assert_str_eq(text, "a text");
    cr_assert_eq(mem_allocation_count(), before + 1);
    mem_free(&text);
    ASSERT_OK(mem_strdup(&text, "", &err), err);
    cr_assert_str_eq(text, "");
    mem_free(&text);
}
