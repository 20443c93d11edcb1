/* program.h - the tool run with a pipe for its input, and the most memory it ever had.
 *
 * The peak that wait4 reports would be that of the test runner before exec, so it is read from /proc while the program runs.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_TESTS_CLI_PROGRAM_H
#define RESIDUA_TESTS_CLI_PROGRAM_H

#include <stddef.h>
#include <sys/types.h>

/* *pipe_end: where its standard input comes from; standard output goes nowhere. */
pid_t program_start(int *pipe_end, char *const *arguments);
void program_feed(int pipe_end, const void *data, size_t size);
/* RIFF of unknown length, 16 bits. */
void program_feed_wav_header(int pipe_end, int rate_hz, int channels);
void program_feed_file(int pipe_end, const char *path);
/* VmHWM of a running process, -1 when it runs no more. */
long program_peak_kb(pid_t pid);
/* Ends the input, waits for the program, which must succeed, and returns its peak, looked at every few milliseconds. */
long program_finish(pid_t pid, int pipe_end);

#endif
