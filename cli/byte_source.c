/* byte_source.c - reading by descriptor.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cli/byte_source.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "codec/container.h"
#include "codec/ecdc.h"
#include "engine/base/atomic_file.h"
#include "engine/base/error.h"
#include "engine/base/mem.h"

_Static_assert(BYTE_SOURCE_REPLAY_SIZE >= HEADER_MAX_SIZE && BYTE_SOURCE_REPLAY_SIZE >= ECDC_PREFIX_SIZE + ECDC_MAX_JSON,
               "a header is read again");

#define READ_STEP ((size_t)1 << 16)

RsdStatus byte_source_open(ByteSource *source, const char *path, RsdError *err)
{
    struct stat info;
    RsdStatus status = RSD_OK;

    *source = (ByteSource){.fd = -1, .name = path, .file_size = -1};
    if (!strcmp(path, "-")) {
        source->fd = STDIN_FILENO;
        source->name = "standard input";
    } else {
        source->fd = open(path, O_RDONLY | O_CLOEXEC);
    }
    CHECK(source->fd >= 0 && fstat(source->fd, &info) == 0, err, RSD_ERR_IO, "%s: cannot open: %s", source->name,
          strerror(errno));
    CHECK(!S_ISDIR(info.st_mode), err, RSD_ERR_IO, "%s: is a directory", source->name);
    if (S_ISREG(info.st_mode))
        source->file_size = info.st_size;
    return RSD_OK;
fail:
    byte_source_close(source);
    return status;
}

void byte_source_close(ByteSource *source)
{
    if (source->fd > STDIN_FILENO)
        close(source->fd);
    source->fd = -1;
}

RsdStatus byte_source_read(void *ctx, void *data, size_t size, size_t *n_read, RsdError *err)
{
    ByteSource *source = ctx;
    ssize_t got;

    if (source->at < source->n_first) {
        *n_read = source->n_first - source->at < size ? source->n_first - source->at : size;
        memcpy(data, source->first + source->at, *n_read);
        source->at += *n_read;
        return RSD_OK;
    }
    *n_read = 0;
    do
        got = read(source->fd, data, size);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return error_set(err, RSD_ERR_IO, "%s: cannot read: %s", source->name, strerror(errno));
    *n_read = (size_t)got;
    if (source->n_read == (int64_t)source->n_first && source->n_first + *n_read <= sizeof source->first) {
        memcpy(source->first + source->n_first, data, *n_read);
        source->n_first += *n_read;
        source->at = source->n_first;
    }
    source->n_read += got;
    return RSD_OK;
}

void byte_source_rewind(ByteSource *source)
{
    assert(source->n_read == (int64_t)source->n_first);
    source->at = 0;
}

RsdStatus byte_source_read_all(ByteSource *source, uint8_t **data, size_t *size, size_t max_size, RsdError *err)
{
    size_t capacity = 0, n_read;
    RsdStatus status = RSD_OK;

    *data = NULL;
    *size = 0;
    do {
        if (capacity - *size < READ_STEP) {
            CHECK(capacity < max_size, err, RSD_ERR_MEMORY, "%s: more than %zu MiB", source->name, max_size >> 20);
            TRY(mem_resize(data, capacity, 2 * capacity + READ_STEP, 1, err));
            capacity = 2 * capacity + READ_STEP;
        }
        TRY(byte_source_read(source, *data + *size, READ_STEP, &n_read, err));
        *size += n_read;
    } while (n_read > 0);
    return RSD_OK;
fail:
    mem_free(data);
    return status;
}

RsdStatus byte_sink_write(void *ctx, const void *data, size_t size, RsdError *err)
{
    return atomic_file_write(ctx, data, size, err);
}
