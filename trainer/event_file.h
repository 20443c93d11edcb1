/* event_file.h - numbers over steps as a TensorBoard event file.
 *
 * A file is a row of records: length (8 bytes), masked CRC-32C of the length, an Event, masked CRC-32C of the Event. An Event
 * is a protocol buffer: wall_time = 1 (double), step = 2 (int64), file_version = 3 (string, in the first one), summary = 5,
 * which has value = 1 repeated, each with tag = 1 (string) and simple_value = 2 (float).
 *
 * [1] tensorflow/core/lib/io/record_writer.h, tensorflow/core/util/event.proto, tensorflow/core/framework/summary.proto.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_EVENT_FILE_H
#define RESIDUA_EVENT_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "engine/base/error.h"

typedef struct EventFile EventFile;

/* TensorBoard reads every file of a folder whose name holds this word. */
#define EVENT_FILE_WORD "tfevents"

/* Appends to what is there. time: seconds since 1970. Errors: RSD_ERR_IO, RSD_ERR_MEMORY. */
RsdStatus event_file_open(EventFile **out, const char *path, double time, RsdError *err);
void event_file_close(EventFile **file);

/* Numbers of one moment: begin, any number of scalars, end (which flushes). Errors of end: RSD_ERR_IO. */
void event_file_begin(EventFile *file, double time, int64_t step);
void event_file_scalar(EventFile *file, const char *tag, float value);
RsdStatus event_file_end(EventFile *file, RsdError *err);

/* CRC-32C (Castagnoli), and the mask of the format. */
uint32_t event_file_crc(const void *data, size_t size);
uint32_t event_file_mask(uint32_t crc);

#endif
