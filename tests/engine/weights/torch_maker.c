/* torch_maker.c - bytes of pickles and zips.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/engine/weights/torch_maker.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/checksum.h"

void make_bytes(ByteMaker *m, const void *data, size_t size)
{
    if (size > MAKER_SIZE - m->size)
        abort();
    if (size > 0)
        memcpy(m->data + m->size, data, size);
    m->size += size;
}

void make_byte(ByteMaker *m, int byte)
{
    uint8_t b = (uint8_t)byte;

    make_bytes(m, &b, 1);
}

void make_number(ByteMaker *m, uint64_t value, int size)
{
    for (int i = 0; i < size; i++)
        make_byte(m, (int)(value >> (8 * i) & 0xff));
}

void make_text(ByteMaker *m, const char *text)
{
    make_byte(m, 'X');
    make_number(m, strlen(text), 4);
    make_bytes(m, text, strlen(text));
}

void make_int(ByteMaker *m, int32_t value)
{
    make_byte(m, 'J');
    make_number(m, (uint32_t)value, 4);
}

void make_global(ByteMaker *m, const char *line)
{
    const char *space = strchr(line, ' ');

    make_byte(m, 'c');
    make_bytes(m, line, (size_t)(space - line));
    make_byte(m, '\n');
    make_bytes(m, space + 1, strlen(space + 1));
    make_byte(m, '\n');
}

static void make_tuple(ByteMaker *m, int n, const int32_t *numbers)
{
    make_byte(m, '(');
    for (int i = 0; i < n; i++)
        make_int(m, numbers[i]);
    make_byte(m, 't');
}

void make_tensor(ByteMaker *m, const char *key, int32_t n_stored, int32_t offset, int n_dims, const int32_t *shape,
                 const int32_t *strides)
{
    make_global(m, "torch._utils _rebuild_tensor_v2");
    make_byte(m, '(');
    make_byte(m, '(');
    make_text(m, "storage");
    make_global(m, "torch FloatStorage");
    make_text(m, key);
    make_text(m, "cpu");
    make_int(m, n_stored);
    make_bytes(m, "tQ", 2);
    make_int(m, offset);
    make_tuple(m, n_dims, shape);
    make_tuple(m, n_dims, strides);
    make_byte(m, 0x89);
    make_global(m, "collections OrderedDict");
    make_bytes(m, ")RtR", 4);
}

void make_zip_entry(ZipMaker *zip, const char *name, const void *data, size_t size)
{
    ByteMaker *both[2] = {&zip->bytes, &zip->directory};
    const size_t at = zip->bytes.size;

    for (int i = 0; i < 2; i++) {
        ByteMaker *m = both[i];

        make_bytes(m, i ? "PK\1\2" : "PK\3\4", 4);
        if (i)
            make_number(m, 20, 2); /* made by */
        make_number(m, 20, 2);     /* needs */
        make_number(m, 0, 2);      /* flags */
        make_number(m, 0, 2);      /* stored */
        make_number(m, 0, 4);      /* time */
        make_number(m, crc32_update(0, data, size), 4);
        make_number(m, size, 4);
        make_number(m, size, 4);
        make_number(m, strlen(name), 2);
        make_number(m, 0, 2); /* extra */
        if (i) {
            make_number(m, 0, 4); /* comment, disk */
            make_number(m, 0, 6); /* attributes */
            make_number(m, at, 4);
        }
        make_bytes(m, name, strlen(name));
    }
    make_bytes(&zip->bytes, data, size);
    zip->n_entries++;
}

void make_zip_end(ZipMaker *zip)
{
    ByteMaker *m = &zip->bytes;
    const size_t at = m->size;

    make_bytes(m, zip->directory.data, zip->directory.size);
    make_bytes(m, "PK\5\6", 4);
    make_number(m, 0, 4); /* disks */
    make_number(m, (uint64_t)zip->n_entries, 2);
    make_number(m, (uint64_t)zip->n_entries, 2);
    make_number(m, zip->directory.size, 4);
    make_number(m, at, 4);
    make_number(m, 0, 2); /* comment */
}

void make_torch_file(ZipMaker *zip, const ByteMaker *pickle, int n)
{
    float numbers[1024];

    memset(zip, 0, sizeof *zip);
    for (int i = 0; i < n; i++)
        numbers[i] = (float)i;
    make_zip_entry(zip, "archive/data.pkl", pickle->data, pickle->size);
    make_zip_entry(zip, "archive/data/0", numbers, (size_t)n * sizeof *numbers);
    make_zip_end(zip);
}

void make_sound_pickle(ByteMaker *m)
{
    m->size = 0;
    make_bytes(m, "\x80\x02}(", 4);
    make_text(m, "state_dict");
    make_bytes(m, "}(", 2);
    make_text(m, "b");
    make_tensor(m, "0", 6, 0, 2, (int32_t[]){2, 3}, (int32_t[]){3, 1});
    make_text(m, "a");
    make_tensor(m, "0", 6, 0, 2, (int32_t[]){3, 2}, (int32_t[]){1, 3});
    make_byte(m, 'u');
    make_text(m, "metadata");
    make_bytes(m, "}(", 2);
    make_text(m, "rate");
    make_int(m, 44100);
    make_text(m, "rates");
    make_bytes(m, "](", 2);
    make_int(m, 2);
    make_int(m, 4);
    make_bytes(m, "euu.", 4);
}
