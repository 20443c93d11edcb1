/* test_checkpoint.c - torch files and safetensors behind one face: what torch wrote is read to the bit, what attackers write is
 * refused with a sentence.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/weights/checkpoint.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "engine/base/bytes.h"
#include "engine/base/file_map.h"
#include "engine/base/mem.h"
#include "engine/weights/array_check.h"
#include "tests/engine/weights/torch_maker.h"
#include "tests/shared.h"

/* ---- what torch wrote ---- */

static void assert_same_arrays(Checkpoint *a, Checkpoint *b)
{
    RsdError err;

    cr_assert_eq(checkpoint_count(a), checkpoint_count(b));
    for (size_t i = 0; i < checkpoint_count(a); i++) {
        const CheckpointArray *x = checkpoint_array(a, i), *y = checkpoint_find(b, x->name);
        int64_t count;
        float *values[2];

        cr_assert(y, "%s", x->name);
        cr_assert(x->n_dims == y->n_dims && memcmp(x->shape, y->shape, (size_t)x->n_dims * sizeof *x->shape) == 0, "%s",
                  x->name);
        ASSERT_OK(shape_count(&count, x->n_dims, x->shape, &err), err);
        for (int j = 0; j < 2; j++) {
            values[j] = calloc((size_t)count, sizeof **values);
            ASSERT_OK(checkpoint_read_f32(j ? b : a, j ? y : x, values[j], count, &err), err);
        }
        ASSERT_SAME_BITS(x->name, values[0], values[1], count);
        free(values[0]);
        free(values[1]);
    }
}

Test(checkpoint, torch_file_and_safetensors_of_the_same_weights_are_equal_to_the_bit)
{
    const char *const roots[] = {"golden/encodec/mono24", "golden/encodec/stereo48style"};
    RsdError err;

    NEED_SHARED("golden/encodec");
    for (int i = 0; i < 2; i++) {
        Checkpoint *torch, *st;
        SharedPath path;
        char file[128];

        snprintf(file, sizeof file, "%s/lm_orig.th", roots[i]);
        ASSERT_OK(checkpoint_open(&torch, shared_path(&path, file), &err), err);
        snprintf(file, sizeof file, "%s/lm.safetensors", roots[i]);
        ASSERT_OK(checkpoint_open(&st, shared_path(&path, file), &err), err);
        cr_assert(checkpoint_kind(torch) == CHECKPOINT_TORCH && checkpoint_kind(st) == CHECKPOINT_SAFETENSORS);
        assert_same_arrays(torch, st);
        checkpoint_close(&torch);
        checkpoint_close(&st);
    }
}

Test(checkpoint, dac_file_shows_arrays_without_their_wrapper_and_its_arguments_as_metadata)
{
    Checkpoint *c;
    SharedPath path;
    RsdError err;

    NEED_SHARED("golden/dac/dac44/model_orig.pth");
    ASSERT_OK(checkpoint_open(&c, shared_path(&path, "golden/dac/dac44/model_orig.pth"), &err), err);
    cr_assert(checkpoint_find(c, "encoder.block.0.weight_g"));
    cr_assert_str_eq(checkpoint_metadata(c, "metadata.kwargs.encoder_rates"), "2,4,8,8");
    checkpoint_close(&c);
}

Test(checkpoint, configuration_of_the_model_hub_becomes_metadata)
{
    Checkpoint *c;
    SharedPath path;
    RsdError err;

    NEED_SHARED("golden/encodec/mono24");
    ASSERT_OK(checkpoint_open(&c, shared_path(&path, "golden/encodec/mono24/model_hf.safetensors"), &err), err);
    ASSERT_OK(checkpoint_add_config_beside(c, shared_path(&path, "golden/encodec/mono24/model_hf.safetensors"), &err),
              err);
    cr_assert_null(checkpoint_metadata(c, "config.model_type")); /* there is no config.json */
    ASSERT_OK(checkpoint_add_config(c, shared_path(&path, "golden/encodec/mono24/config_hf.json"), &err), err);
    cr_assert_str_eq(checkpoint_metadata(c, "config.model_type"), "encodec");
    cr_assert_str_eq(checkpoint_metadata(c, "config.upsampling_ratios"), "8,5,4,2");
    cr_assert_str_eq(checkpoint_metadata(c, "config.use_causal_conv"), "true");
    cr_assert_str_eq(checkpoint_metadata(c, "config.trim_right_ratio"), "1");
    cr_assert_null(checkpoint_metadata(c, "config.chunk_length_s")); /* null */
    checkpoint_close(&c);
}

/* ---- by hand ---- */

static RsdStatus open_bytes(Checkpoint **c, const ZipMaker *zip, RsdError *err)
{
    return checkpoint_open_memory(c, zip->bytes.data, zip->bytes.size, "made.th", err);
}

Test(checkpoint, strides_offsets_and_metadata_of_a_torch_file_are_followed)
{
    static ByteMaker pickle;
    static ZipMaker zip;
    Checkpoint *c;
    float a[6], b[6];
    RsdError err;

    make_sound_pickle(&pickle);
    make_torch_file(&zip, &pickle, 6);
    ASSERT_OK(open_bytes(&c, &zip, &err), err);
    cr_assert_eq(checkpoint_count(c), 2);
    cr_assert_str_eq(checkpoint_array(c, 0)->name, "a");
    ASSERT_OK(checkpoint_read_f32(c, checkpoint_find(c, "a"), a, 6, &err), err);
    ASSERT_OK(checkpoint_read_f32(c, checkpoint_find(c, "b"), b, 6, &err), err);
    for (int i = 0; i < 6; i++) {
        cr_assert_eq(b[i], (float)i);
        cr_assert_eq(a[i], (float)(i / 2 + i % 2 * 3), "a[%d] = %g", i, (double)a[i]);
    }
    ASSERT_FAILS(checkpoint_read_f32(c, checkpoint_find(c, "a"), a, 5, &err), RSD_ERR_ARG, err, "5 values are needed");
    cr_assert_str_eq(checkpoint_metadata(c, "metadata.rate"), "44100");
    cr_assert_str_eq(checkpoint_metadata(c, "metadata.rates"), "2,4");
    checkpoint_close(&c);
}

/* A file whose only value is what `pickle` holds between PROTO and STOP. */
static RsdStatus open_pickle(const ByteMaker *body, RsdError *err)
{
    static ByteMaker pickle;
    static ZipMaker zip;
    Checkpoint *c = NULL;
    RsdStatus status;

    pickle.size = 0;
    make_bytes(&pickle, "\x80\x02", 2);
    make_bytes(&pickle, body->data, body->size);
    make_byte(&pickle, '.');
    make_torch_file(&zip, &pickle, 6);
    status = open_bytes(&c, &zip, err);
    checkpoint_close(&c);
    return status;
}

Test(checkpoint, names_that_python_would_import_are_refused_and_named)
{
    const char *const hostile[] = {"posix system", "builtins eval", "os system", "torch load",
                                   "numpy.core.multiarray scalar"};
    static ByteMaker m;
    RsdError err;

    for (size_t i = 0; i < sizeof hostile / sizeof *hostile; i++) {
        char dotted[64];

        m.size = 0;
        make_global(&m, hostile[i]);
        make_byte(&m, '(');
        make_text(&m, "touch /tmp/owned");
        make_bytes(&m, "tR", 2);
        snprintf(dotted, sizeof dotted, "%s", hostile[i]);
        *strchr(dotted, ' ') = '.';
        ASSERT_FAILS(open_pickle(&m, &err), RSD_ERR_UNSUPPORTED, err, dotted);
        m.size = 0; /* the same by STACK_GLOBAL */
        snprintf(dotted, sizeof dotted, "%s", hostile[i]);
        *strchr(dotted, ' ') = '\0';
        make_text(&m, dotted);
        make_text(&m, strchr(hostile[i], ' ') + 1);
        make_bytes(&m, "\x93)R", 3);
        ASSERT_FAILS(open_pickle(&m, &err), RSD_ERR_UNSUPPORTED, err, "nothing was executed");
    }
}

Test(checkpoint, cyclic_deep_and_multiplying_pickles_end_with_an_error)
{
    static ByteMaker m;
    RsdError err;

    m.size = 0; /* l = []; l.append(l) */
    make_bytes(&m, "]q\0h\0a", 6);
    ASSERT_FAILS(open_pickle(&m, &err), RSD_ERR_CORRUPT, err, "contains itself");
    m.size = 0; /* d = {}; d["x"] = d */
    make_bytes(&m, "}q\0", 3);
    make_text(&m, "x");
    make_bytes(&m, "h\0s", 3);
    ASSERT_FAILS(open_pickle(&m, &err), RSD_ERR_CORRUPT, err, "contains itself");
    m.size = 0; /* [[[[... */
    for (int i = 0; i < 20000; i++)
        make_byte(&m, ']');
    for (int i = 0; i < 19999; i++)
        make_byte(&m, 'a');
    ASSERT_FAILS(open_pickle(&m, &err), RSD_ERR_CORRUPT, err, "nested more than");
    m.size = 0; /* each list holds the one before a hundred times: 100^10 values */
    make_bytes(&m, "(}q\0", 4);
    for (int level = 1; level <= 10; level++) {
        make_bytes(&m, "](", 2);
        for (int i = 0; i < 100; i++) {
            make_byte(&m, 'h');
            make_byte(&m, level - 1);
        }
        make_bytes(&m, "eq", 2);
        make_byte(&m, level);
    }
    make_byte(&m, 't');
    ASSERT_FAILS(open_pickle(&m, &err), RSD_ERR_CORRUPT, err, "more than");
}

Test(checkpoint, malformed_pickles_are_refused_at_the_byte)
{
    static const struct {
        const char *bytes;
        size_t size;
        const char *part;
    } cases[] = {
        {"", 0, "0 values are left"},
        {"N.N", 3, "and 2 bytes follow"},
        {"NN", 2, "2 values are left"},
        {"(N", 2, "left at the end"},
        {"t", 1, "has no mark"},
        {"a", 1, "needs 2 values"},
        {"(a", 2, "needs 2 values"},
        {"NNa", 3, "appends to what is no list"},
        {"NNNs", 4, "no dictionary"},
        {"}(Nu", 4, "a key without a value"},
        {"h\7", 2, "memo is empty"},
        {"q\0", 2, "needs 1 values"},
        {"Nr\xff\xff\xff\xff", 6, "out of reach"},
        {"X\xff\xff\xff\xff", 5, "in the middle"},
        {"\x8d\xff\xff\xff\xff\xff\xff\xff\xff", 9, "in the middle"},
        {"X\2\0\0\0a\0", 7, "zero byte"},
        {"\x8a\x09\1\1\1\1\1\1\1\1\1", 11, "9 bytes"},
        {"ctorch", 6, "has no end"},
        {"NNR", 3, "calls what is no name"},
        {"NNb", 3, "sets the state"},
        {"\x80\x63", 2, "protocol 99"},
        {"I01\n", 4, "opcode 0x49"},
        {"\x82\1", 2, "opcode 0x82"},
    };
    static ByteMaker m;
    RsdError err;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        RsdStatus status;

        m.size = 0;
        make_bytes(&m, cases[i].bytes, cases[i].size);
        status = open_pickle(&m, &err);
        cr_assert(status == RSD_ERR_CORRUPT || status == RSD_ERR_UNSUPPORTED, "case %zu: %d", i, status);
        cr_assert(strstr(err.text, cases[i].part), "case %zu: '%s' does not contain '%s'", i, err.text, cases[i].part);
    }
}

static RsdStatus open_tensor(const char *key, int32_t n_stored, int32_t offset, int n_dims, const int32_t *shape,
                             const int32_t *strides, RsdError *err)
{
    static ByteMaker m;

    m.size = 0;
    make_bytes(&m, "}", 1);
    make_text(&m, "w");
    make_tensor(&m, key, n_stored, offset, n_dims, shape, strides);
    make_byte(&m, 's');
    return open_pickle(&m, err);
}

Test(checkpoint, tensors_outside_their_storage_are_refused)
{
    const int32_t huge = INT32_MAX;
    RsdError err;

    ASSERT_OK(open_tensor("0", 6, 0, 1, (int32_t[]){6}, (int32_t[]){1}, &err), err);
    ASSERT_OK(open_tensor("0", 6, 5, 1, (int32_t[]){1}, (int32_t[]){1}, &err), err);
    ASSERT_OK(open_tensor("0", 6, 0, 0, NULL, NULL, &err), err);
    ASSERT_FAILS(open_tensor("0", 6, 1, 1, (int32_t[]){6}, (int32_t[]){1}, &err), RSD_ERR_CORRUPT, err, "does not fit");
    ASSERT_FAILS(open_tensor("0", 6, 0, 1, (int32_t[]){3}, (int32_t[]){3}, &err), RSD_ERR_CORRUPT, err, "does not fit");
    ASSERT_FAILS(open_tensor("0", 6, 0, 1, (int32_t[]){7}, (int32_t[]){0}, &err), RSD_ERR_CORRUPT, err, "does not fit");
    ASSERT_FAILS(open_tensor("0", 6, 0, 2, (int32_t[]){-1, 2}, (int32_t[]){2, 1}, &err), RSD_ERR_CORRUPT, err,
                 "negative");
    ASSERT_FAILS(open_tensor("0", 6, 0, 1, (int32_t[]){2}, (int32_t[]){-1}, &err), RSD_ERR_CORRUPT, err, "negative");
    ASSERT_FAILS(open_tensor("0", 6, -1, 1, (int32_t[]){2}, (int32_t[]){1}, &err), RSD_ERR_CORRUPT, err,
                 "as torch does");
    ASSERT_FAILS(open_tensor("0", 6, 0, 4, (int32_t[]){huge, huge, huge, huge}, (int32_t[]){0, 0, 0, 0}, &err),
                 RSD_ERR_CORRUPT, err, "impossible shape");
    ASSERT_FAILS(open_tensor("0", 6, 0, 2, (int32_t[]){2, 2}, (int32_t[]){huge, huge}, &err), RSD_ERR_CORRUPT, err,
                 "does not fit");
    ASSERT_FAILS(open_tensor("0", 6, 0, 6, (int32_t[]){1, 1, 1, 1, 1, 1}, (int32_t[]){1, 1, 1, 1, 1, 1}, &err),
                 RSD_ERR_UNSUPPORTED, err, "6 axes");
    ASSERT_FAILS(open_tensor("0", 7, 0, 1, (int32_t[]){6}, (int32_t[]){1}, &err), RSD_ERR_CORRUPT, err, "24 bytes");
    ASSERT_FAILS(open_tensor("9", 6, 0, 1, (int32_t[]){6}, (int32_t[]){1}, &err), RSD_ERR_CORRUPT, err, "is not there");
}

Test(checkpoint, weights_that_are_no_numbers_are_refused_when_read)
{
    static ByteMaker pickle;
    static ZipMaker zip;
    const float bad[6] = {0, 1, 2, NAN, 4, INFINITY};
    float values[6];
    Checkpoint *c;
    RsdError err;

    make_sound_pickle(&pickle);
    memset(&zip, 0, sizeof zip);
    make_zip_entry(&zip, "x/data.pkl", pickle.data, pickle.size);
    make_zip_entry(&zip, "x/data/0", bad, sizeof bad);
    make_zip_end(&zip);
    ASSERT_OK(open_bytes(&c, &zip, &err), err);
    ASSERT_FAILS(checkpoint_read_f32(c, checkpoint_find(c, "b"), values, 6, &err), RSD_ERR_NUMERIC, err,
                 "'b': value 3 is nan");
    ASSERT_FAILS(checkpoint_check_f32(c, checkpoint_find(c, "b"), &err), RSD_ERR_NUMERIC, err, "made.th: tensor 'b': value 3 is nan");
    ASSERT_FAILS(checkpoint_check_f32(c, checkpoint_find(c, "a"), &err), RSD_ERR_NUMERIC, err, "'a': value 1 is nan"); /* transposed */
    checkpoint_close(&c);
    make_torch_file(&zip, &pickle, 6);
    zip.bytes.data[zip.bytes.size - 22 - zip.directory.size - 1] ^= 1;
    ASSERT_OK(open_bytes(&c, &zip, &err), err);
    ASSERT_FAILS(checkpoint_check_f32(c, checkpoint_find(c, "b"), &err), RSD_ERR_CORRUPT, err, "damaged");
    checkpoint_close(&c);
}

Test(checkpoint, zips_that_are_compressed_or_lie_about_sizes_are_refused)
{
    static ByteMaker pickle;
    static ZipMaker zip, again;
    Checkpoint *c;
    RsdError err;
    uint8_t *entry;
    float values[6];

    make_sound_pickle(&pickle);
    make_torch_file(&zip, &pickle, 6);
    entry = zip.bytes.data + zip.bytes.size - 22 - zip.directory.size; /* of data.pkl, in the directory */
    again = zip;
    put_u16le(again.bytes.data + (entry - zip.bytes.data) + 10, 8); /* deflated, in both places */
    put_u16le(again.bytes.data + 8, 8);
    ASSERT_FAILS(open_bytes(&c, &again, &err), RSD_ERR_UNSUPPORTED, err, "compressed");
    again = zip;
    put_u32le(again.bytes.data + (entry - zip.bytes.data) + 20, 0x7fffffff);
    put_u32le(again.bytes.data + (entry - zip.bytes.data) + 24, 0x7fffffff);
    cr_assert_neq(open_bytes(&c, &again, &err), RSD_OK);
    again = zip; /* the checksum of the storage tells that a number changed */
    again.bytes.data[again.bytes.size - 22 - again.directory.size - 1] ^= 1;
    ASSERT_OK(open_bytes(&c, &again, &err), err);
    ASSERT_FAILS(checkpoint_read_f32(c, checkpoint_find(c, "b"), values, 6, &err), RSD_ERR_CORRUPT, err, "damaged");
    checkpoint_close(&c);
    memset(&again, 0, sizeof again);
    make_zip_entry(&again, "y/data.pkl", pickle.data, pickle.size);
    make_zip_entry(&again, "y/data.pkl", pickle.data, pickle.size);
    make_zip_end(&again);
    ASSERT_FAILS(open_bytes(&c, &again, &err), RSD_ERR_CORRUPT, err, "same name");
    memset(&again, 0, sizeof again); /* other order of entries: names decide */
    make_zip_entry(&again, "y/data/0", "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 24);
    make_zip_entry(&again, "y/version", "3\n", 2);
    make_zip_entry(&again, "y/data.pkl", pickle.data, pickle.size);
    make_zip_end(&again);
    ASSERT_OK(open_bytes(&c, &again, &err), err);
    checkpoint_close(&c);
    memset(&again, 0, sizeof again);
    make_zip_entry(&again, "mimetype", "text", 4);
    make_zip_end(&again);
    ASSERT_FAILS(open_bytes(&c, &again, &err), RSD_ERR_UNSUPPORTED, err, "no entry data.pkl");
    memset(&again, 0, sizeof again);
    make_zip_entry(&again, "y/data.pkl", pickle.data, pickle.size);
    make_zip_entry(&again, "z/data.pkl", pickle.data, pickle.size);
    make_zip_end(&again);
    ASSERT_FAILS(open_bytes(&c, &again, &err), RSD_ERR_CORRUPT, err, "two entries");
    ASSERT_FAILS(checkpoint_open_memory(&c, "\x80\x02}.", 4, "old.pt", &err), RSD_ERR_UNSUPPORTED, err,
                 "before version 1.6");
    ASSERT_FAILS(checkpoint_open_memory(&c, "RIFF....WAVE", 12, "song.wav", &err), RSD_ERR_CORRUPT, err, "song.wav");
}

/* Opens and reads everything; whatever the bytes are, there is a result or a sentence. */
static bool read_all(const uint8_t *bytes, size_t size)
{
    static float values[1 << 16];
    Checkpoint *c = NULL;
    RsdError err = {0};
    RsdStatus status = checkpoint_open_memory(&c, bytes, size, "changed.th", &err);

    for (size_t i = 0; status == RSD_OK && i < checkpoint_count(c); i++) {
        const CheckpointArray *array = checkpoint_array(c, i);
        int64_t count;

        status = shape_count(&count, array->n_dims, array->shape, &err);
        cr_assert(status == RSD_OK && count <= 1 << 16);
        status = checkpoint_read_f32(c, array, values, count, &err);
    }
    cr_assert((status == RSD_OK) == (err.text[0] == '\0'), "%d: '%s'", status, err.text);
    checkpoint_close(&c);
    return status == RSD_OK;
}

Test(checkpoint, file_cut_anywhere_or_with_any_byte_changed_never_crashes_and_never_reads_past_itself)
{
    static ByteMaker pickle;
    static ZipMaker zip;
    size_t n_refused = 0;

    make_sound_pickle(&pickle);
    make_torch_file(&zip, &pickle, 6);
    cr_assert(read_all(zip.bytes.data, zip.bytes.size));
    for (size_t size = 0; size < zip.bytes.size; size++) {
        uint8_t *exact = malloc(size ? size : 1); /* so that a sanitizer sees a read behind the end */

        memcpy(exact, zip.bytes.data, size);
        cr_assert(!read_all(exact, size), "cut to %zu bytes", size);
        free(exact);
    }
    for (size_t i = 0; i < zip.bytes.size; i++)
        for (int change = 1; change < 256; change <<= 1) {
            zip.bytes.data[i] ^= (uint8_t)change;
            n_refused += !read_all(zip.bytes.data, zip.bytes.size);
            zip.bytes.data[i] ^= (uint8_t)change;
        }
    cr_assert_gt(n_refused, 6 * zip.bytes.size, "%zu of %zu", n_refused, 8 * zip.bytes.size);
}

Test(checkpoint, every_allocation_may_fail)
{
    static ByteMaker pickle;
    static ZipMaker zip;
    RsdStatus status = RSD_ERR_MEMORY;

    make_sound_pickle(&pickle);
    make_torch_file(&zip, &pickle, 6);
    for (int64_t n = 0; status != RSD_OK; n++) {
        Checkpoint *c = NULL;
        float values[6];
        RsdError err = {0};

        mem_fail_after(n);
        status = open_bytes(&c, &zip, &err);
        if (status == RSD_OK)
            status = checkpoint_read_f32(c, checkpoint_find(c, "a"), values, 6, &err);
        mem_fail_after(-1);
        cr_assert(status == RSD_OK || status == RSD_ERR_MEMORY, "%d: %s", status, err.text);
        checkpoint_close(&c);
        cr_assert_lt(n, 1000);
    }
}
