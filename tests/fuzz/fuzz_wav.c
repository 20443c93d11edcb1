/* fuzz_wav.c - WAV that comes through a pipe, of any bytes: taken for something else, or samples until an end or a sentence.
 *
 * The first two bytes say how long a chunk of zeros is put in behind "WAVE", so that the end of what is looked at is within reach.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "engine/base/bytes.h"
#include "media/wav_header.h"
#include "media/wav_stream.h"

#define FRAMES 512
#define HEAD 12 /* "RIFF" size "WAVE" */

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* --make-corpus DIR: files of integers and floats, one with a chunk that ends where looking ends. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static const uint16_t chunks[] = {0, 26, WAV_START_SIZE - HEAD - 16, WAV_START_SIZE - HEAD - 8};
    const char *folder = *argc == 3 && strcmp((*argv)[1], "--make-corpus") == 0 ? (*argv)[2] : NULL;

    for (int i = 0; folder && i < 4; i++) {
        uint8_t bytes[2 + WAV_HEADER_SIZE + 64] = {0};
        char path[4096];
        FILE *out;

        put_u16le(bytes, chunks[i]);
        wav_header_write(bytes + 2, 48000, 1 + i % 2, i == 1 ? 32 : 16, i == 1, 64);
        snprintf(path, sizeof path, "%s/%d", folder, i);
        out = fopen(path, "wb");
        if (!out || fwrite(bytes, 1, sizeof bytes, out) != sizeof bytes || fclose(out) != 0)
            abort();
    }
    if (folder)
        exit(0);
    return 0;
}

static void put(int fd, const void *data, size_t size)
{
    if (write(fd, data, size) != (ssize_t)size)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t zeros[65536];
    static float samples[FRAMES * AUDIO_MAX_CHANNELS];
    uint8_t chunk[8] = "JUNK";
    AudioSource *source = NULL;
    WavStart start;
    RsdError err = {RSD_OK, ""};
    size_t n_read = 1;
    int fd;

    if (size < 2 + HEAD)
        return 0;
    fd = memfd_create("wav", MFD_CLOEXEC);
    put(fd, data + 2, HEAD);
    if (get_u16le(data) > 0) {
        put_u32le(chunk + 4, get_u16le(data));
        put(fd, chunk, sizeof chunk);
        put(fd, zeros, get_u16le(data) + (get_u16le(data) & 1u));
    }
    put(fd, data + 2 + HEAD, size - 2 - HEAD);
    put(fd, zeros, sizeof zeros); /* for sizes that lie */
    lseek(fd, 0, SEEK_SET);
    if (wav_stream_open(&source, &start, fd, &err) != RSD_OK && !err.text[0])
        abort();
    if (!source && start.size > sizeof start.bytes)
        abort();
    while (source && n_read > 0)
        if (source->read(source, samples, FRAMES, &n_read, &err) != RSD_OK)
            break;
    if (source)
        source->close(source);
    close(fd);
    return 0;
}
