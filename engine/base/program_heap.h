/* program_heap.h - what a program asks of the C library's heap at its start.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_PROGRAM_HEAP_H
#define RESIDUA_PROGRAM_HEAP_H

/* For main(), before the first allocation; a library leaves the heap to its program. Blocks that are too small to be pages of their own
 * (engine/base/mem.c) come from one piece of memory in large pages, where the C library and the system can do that: first touches of
 * pages of 4 KiB are what a short program otherwise spends much of its time on. */
void program_heap_in_large_pages(void);

#endif
