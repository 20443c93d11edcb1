/* header.c - the header of a .rsd stream: checked, read and written (docs/format.md, "Header").
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "codec/bitpack.h"
#include "codec/container.h"
#include "engine/base/bytes.h"
#include "engine/base/checksum.h"

/* Offsets. */
enum {
    AT_VERSION = 3,
    AT_KIND = 4,
    AT_FEATURES = 5,
    AT_SIZE = 6,
    AT_HASH = 8,
    AT_SAMPLES = 16,
    AT_RATE = 24,
    AT_HOP = 28,
    AT_FRAMES = 30,
    AT_CHANNELS = 32,
    AT_LAYOUT = 33,
    AT_STREAMS = 34,
    AT_CODE_BITS = 35,
    AT_LAYERS = 36,
    AT_NAME_LEN = 37,
    AT_TABLE = 38
};

#define CRC_SIZE 4
_Static_assert(HEADER_MIN_SIZE == AT_TABLE + 2 + 1 + CRC_SIZE, "one layer and a name of one character");
#define FIELD_NEEDED 0x8000 /* ids from here up must be understood */

static const uint8_t MAGIC[3] = {'R', 'S', 'D'};

RsdStatus header_probe_any(StreamKind *kind, size_t *size, const uint8_t prefix[HEADER_PREFIX_SIZE], RsdError *err)
{
    const int min_size = prefix[AT_KIND] == KIND_PICTURE ? PICTURE_HEADER_MIN_SIZE : HEADER_MIN_SIZE;
    RsdStatus status = RSD_OK;

    CHECK(memcmp(prefix, MAGIC, sizeof MAGIC) == 0, err, RSD_ERR_CORRUPT,
          "not a .rsd stream: it begins with %02x %02x %02x, expected 52 53 44", prefix[0], prefix[1], prefix[2]);
    CHECK(prefix[AT_VERSION] != 0, err, RSD_ERR_CORRUPT, "header: format version 0 does not exist");
    CHECK(prefix[AT_VERSION] <= RSD_FORMAT_VERSION, err, RSD_ERR_UNSUPPORTED,
          "format version %d; this is residua %s, which reads versions up to %d", prefix[AT_VERSION], RSD_VERSION,
          RSD_FORMAT_VERSION);
    CHECK(prefix[AT_KIND] == KIND_AUDIO || prefix[AT_KIND] == KIND_PICTURE, err, RSD_ERR_UNSUPPORTED,
          "the stream is of unknown kind %d", prefix[AT_KIND]);
    CHECK((prefix[AT_FEATURES] & ~(prefix[AT_KIND] == KIND_PICTURE ? FEATURE_STAGED : 0)) == 0, err, RSD_ERR_UNSUPPORTED,
          "the stream needs features (bits %02x) that residua %s lacks", prefix[AT_FEATURES], RSD_VERSION);
    *kind = (StreamKind)prefix[AT_KIND];
    *size = get_u16le(prefix + AT_SIZE);
    CHECK(*size >= (size_t)min_size && *size <= HEADER_MAX_SIZE, err, RSD_ERR_CORRUPT, "header: %zu bytes long; %d to %d are possible",
          *size, min_size, HEADER_MAX_SIZE);
fail:
    return status;
}

RsdStatus header_probe(size_t *size, const uint8_t prefix[HEADER_PREFIX_SIZE], RsdError *err)
{
    StreamKind kind = KIND_AUDIO;
    RsdStatus status = RSD_OK;

    TRY(header_probe_any(&kind, size, prefix, err));
    CHECK(kind == KIND_AUDIO, err, RSD_ERR_UNSUPPORTED, "the stream holds a picture, not sound");
fail:
    return status;
}

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("._-+", c));
}

RsdStatus header_check_name(const char *name, RsdStatus code, RsdError *err)
{
    size_t len = strnlen(name, RSD_MODEL_NAME_SIZE);
    RsdStatus status = RSD_OK;

    CHECK(len >= 1 && len < RSD_MODEL_NAME_SIZE, err, code, "header: a model name has 1 to %d characters",
          RSD_MODEL_NAME_SIZE - 1);
    for (size_t i = 0; i < len; i++)
        CHECK(is_name_char(name[i]), err, code,
              "header: character %zu of the model name is byte %02x; letters, digits and ._-+ "
              "are possible",
              i + 1, (uint8_t)name[i]);
fail:
    return status;
}

static RsdStatus check_layers(StreamHeader *header, RsdStatus code, RsdError *err)
{
    RsdStreamInfo *info = &header->info;
    RsdStatus status = RSD_OK;

    CHECK(info->n_layers >= 1 && info->n_layers <= RSD_MAX_LAYERS, err, code, "header: %d layers; 1 to %d are possible",
          info->n_layers, RSD_MAX_LAYERS);
    info->n_stages = 0;
    for (int i = info->n_layers; i < RSD_MAX_LAYERS; i++)
        info->layer_stages[i] = info->layer_strides[i] = 0;
    for (int i = 0; i < info->n_layers; i++) {
        int n_stages = info->layer_stages[i];

        CHECK(n_stages >= 1 && n_stages <= STREAM_MAX_STAGES, err, code,
              "header: layer %d has %d stages; 1 to %d are possible", i + 1, n_stages, STREAM_MAX_STAGES);
        info->n_stages += n_stages;
        CHECK(header->payload_types[i] <= PAYLOAD_PLAIN_LAST, err, RSD_ERR_UNSUPPORTED,
              "layer %d is coded in a way (payload type %d) that residua %s does not know", i + 1,
              header->payload_types[i], RSD_VERSION);
        info->layer_strides[i] = 1 << header->payload_types[i];
        CHECK(info->frames_per_packet % info->layer_strides[i] == 0, err, code,
              "header: layer %d has codes of %d frames, of which no whole number makes a packet of %d", i + 1, info->layer_strides[i],
              info->frames_per_packet);
        CHECK(bitpack_size(stream_layer_codes(info, i, info->frames_per_packet), info->bits_per_code) <= BLOCK_MAX_SIZE,
              err, code, "header: a packet of %d frames needs more than %d bytes for the %d stages of layer %d",
              info->frames_per_packet, BLOCK_MAX_SIZE, n_stages, i + 1);
    }
    CHECK(info->n_stages <= STREAM_MAX_STAGES, err, code,
          "header: %d stages in all layers together; at most %d are possible", info->n_stages, STREAM_MAX_STAGES);
fail:
    return status;
}

RsdStatus header_complete(StreamHeader *header, RsdStatus code, RsdError *err)
{
    RsdStreamInfo *info = &header->info;
    size_t size;
    RsdStatus status = RSD_OK;

    CHECK(info->rate_hz >= 1 && info->rate_hz <= STREAM_MAX_RATE_HZ, err, code,
          "header: %d samples per second; 1 to %d are possible", info->rate_hz, STREAM_MAX_RATE_HZ);
    CHECK(info->hop_samples >= 1 && info->hop_samples <= UINT16_MAX, err, code,
          "header: %d samples per frame; 1 to %d are possible", info->hop_samples, UINT16_MAX);
    CHECK(info->frames_per_packet >= 1 && info->frames_per_packet <= PACKET_MAX_FRAMES, err, code,
          "header: %d frames per packet; 1 to %d are possible", info->frames_per_packet, PACKET_MAX_FRAMES);
    CHECK(info->channels >= 1 && info->channels <= STREAM_MAX_CHANNELS, err, code,
          "header: %d channels; 1 to %d are possible", info->channels, STREAM_MAX_CHANNELS);
    CHECK(info->bits_per_code >= 1 && info->bits_per_code <= 16, err, code,
          "header: codes of %d bits; 1 to 16 are possible", info->bits_per_code);
    CHECK(info->n_samples >= RSD_UNKNOWN_LENGTH && info->n_samples <= STREAM_MAX_PACKETS * stream_packet_samples(info),
          err, code, "header: %lld samples; at most %lld packets of %lld are possible", (long long)info->n_samples,
          (long long)STREAM_MAX_PACKETS, (long long)stream_packet_samples(info));
    TRY(header_check_name(info->model_name, code, err));
    TRY(check_layers(header, code, err));
    size = AT_TABLE + 2 * (size_t)info->n_layers + strlen(info->model_name) + header->fields_size + CRC_SIZE;
    CHECK(size <= HEADER_MAX_SIZE, err, code, "header: %zu bytes long; at most %d are possible", size, HEADER_MAX_SIZE);
    info->header_size = (int)size;
    info->bitrate_bps = 0.0;
    for (int i = 0; i < info->n_layers; i++)
        info->bitrate_bps += info->layer_stages[i] * stream_stage_bps(info, i);
fail:
    return status;
}

RsdStatus header_check_fields(const uint8_t *data, size_t size, unsigned known, RsdError *err)
{
    size_t at = 0;
    RsdStatus status = RSD_OK;

    while (at < size) {
        unsigned id;

        CHECK(size - at >= FIELD_PREFIX_SIZE && size - at - FIELD_PREFIX_SIZE >= get_u16le(data + at + 2), err,
              RSD_ERR_CORRUPT, "header: an extra field does not fit its room");
        id = get_u16le(data + at);
        CHECK(id < FIELD_NEEDED || id == known, err, RSD_ERR_UNSUPPORTED,
              "header field %04x is needed to decode, and residua %s does not know it", id, RSD_VERSION);
        at += FIELD_PREFIX_SIZE + get_u16le(data + at + 2);
    }
fail:
    return status;
}

const uint8_t *header_find_field(const uint8_t *data, size_t size, unsigned id, size_t *field_size)
{
    for (size_t at = 0; at < size; at += FIELD_PREFIX_SIZE + *field_size) {
        *field_size = get_u16le(data + at + 2);
        if (get_u16le(data + at) == id)
            return data + at + FIELD_PREFIX_SIZE;
    }
    return NULL;
}

RsdStatus header_parse(StreamHeader *header, const uint8_t *data, size_t size, RsdError *err)
{
    RsdStreamInfo *info = &header->info;
    size_t n_layers, name_len, at = AT_TABLE;
    uint64_t n_samples;
    uint32_t found, expected;
    RsdStatus status = RSD_OK;

    memset(header, 0, sizeof *header);
    found = get_u32le(data + size - CRC_SIZE);
    expected = crc32_update(0, data, size - CRC_SIZE);
    CHECK(found == expected, err, RSD_ERR_CORRUPT, "header: checksum %08x, expected %08x", found, expected);
    n_layers = data[AT_LAYERS];
    name_len = data[AT_NAME_LEN];
    CHECK(n_layers >= 1 && n_layers <= RSD_MAX_LAYERS, err, RSD_ERR_CORRUPT, "header: %zu layers; 1 to %d are possible",
          n_layers, RSD_MAX_LAYERS);
    CHECK(name_len >= 1 && name_len < RSD_MODEL_NAME_SIZE, err, RSD_ERR_CORRUPT,
          "header: model name of %zu characters; 1 to %d are possible", name_len, RSD_MODEL_NAME_SIZE - 1);
    CHECK(at + 2 * n_layers + name_len + CRC_SIZE <= size, err, RSD_ERR_CORRUPT,
          "header: %zu bytes are too few for %zu layers and a name of %zu characters", size, n_layers, name_len);
    CHECK(data[AT_STREAMS] == 1, err, RSD_ERR_UNSUPPORTED, "%d code streams per frame; residua %s reads 1",
          data[AT_STREAMS], RSD_VERSION);
    info->format_version = data[AT_VERSION];
    memcpy(info->model_hash, data + AT_HASH, RSD_MODEL_HASH_SIZE);
    n_samples = get_u64le(data + AT_SAMPLES);
    info->n_samples = n_samples == UINT64_MAX ? RSD_UNKNOWN_LENGTH
                      : n_samples > INT64_MAX ? INT64_MAX
                                              : (int64_t)n_samples;
    info->rate_hz = get_u32le(data + AT_RATE) > STREAM_MAX_RATE_HZ ? INT32_MAX : (int)get_u32le(data + AT_RATE);
    info->hop_samples = get_u16le(data + AT_HOP);
    info->frames_per_packet = get_u16le(data + AT_FRAMES);
    info->channels = data[AT_CHANNELS];
    header->layout = data[AT_LAYOUT];
    info->layout = header->layout > RSD_LAYOUT_AMBISONIC ? RSD_LAYOUT_DISCRETE : header->layout;
    info->bits_per_code = data[AT_CODE_BITS];
    info->n_layers = (int)n_layers;
    for (size_t i = 0; i < n_layers; i++, at += 2) {
        info->layer_stages[i] = data[at];
        header->payload_types[i] = data[at + 1];
    }
    memcpy(info->model_name, data + at, name_len);
    at += name_len;
    header->fields_size = size - CRC_SIZE - at;
    memcpy(header->fields, data + at, header->fields_size);
    TRY(header_check_fields(header->fields, header->fields_size, 0, err));
    TRY(header_complete(header, RSD_ERR_CORRUPT, err));
    /* A name with a zero byte inside would be shorter than its field. */
    CHECK((size_t)info->header_size == size, err, RSD_ERR_CORRUPT, "header: the model name ends before its field");
fail:
    return status;
}

size_t header_write(const StreamHeader *header, uint8_t *dst)
{
    const RsdStreamInfo *info = &header->info;
    size_t name_len = strlen(info->model_name), at = AT_TABLE;

    memcpy(dst, MAGIC, sizeof MAGIC);
    dst[AT_VERSION] = RSD_FORMAT_VERSION;
    dst[AT_KIND] = KIND_AUDIO;
    dst[AT_FEATURES] = 0;
    put_u16le(dst + AT_SIZE, (uint16_t)info->header_size);
    memcpy(dst + AT_HASH, info->model_hash, RSD_MODEL_HASH_SIZE);
    put_u64le(dst + AT_SAMPLES, info->n_samples == RSD_UNKNOWN_LENGTH ? UINT64_MAX : (uint64_t)info->n_samples);
    put_u32le(dst + AT_RATE, (uint32_t)info->rate_hz);
    put_u16le(dst + AT_HOP, (uint16_t)info->hop_samples);
    put_u16le(dst + AT_FRAMES, (uint16_t)info->frames_per_packet);
    dst[AT_CHANNELS] = (uint8_t)info->channels;
    dst[AT_LAYOUT] = header->layout;
    dst[AT_STREAMS] = 1;
    dst[AT_CODE_BITS] = (uint8_t)info->bits_per_code;
    dst[AT_LAYERS] = (uint8_t)info->n_layers;
    dst[AT_NAME_LEN] = (uint8_t)name_len;
    for (int i = 0; i < info->n_layers; i++) {
        dst[at++] = (uint8_t)info->layer_stages[i];
        dst[at++] = header->payload_types[i];
    }
    memcpy(dst + at, info->model_name, name_len);
    at += name_len;
    memcpy(dst + at, header->fields, header->fields_size);
    at += header->fields_size;
    put_u32le(dst + at, crc32_update(0, dst, at));
    return at + CRC_SIZE;
}

int stream_layout_for(int channels)
{
    return channels == 1 ? RSD_LAYOUT_MONO : channels == 2 ? RSD_LAYOUT_STEREO : RSD_LAYOUT_DISCRETE;
}

int64_t stream_packet_samples(const RsdStreamInfo *info)
{
    return (int64_t)info->hop_samples * info->frames_per_packet;
}

int64_t stream_packets_for(const RsdStreamInfo *info, int64_t n_samples)
{
    int64_t packet_samples = stream_packet_samples(info);

    return n_samples / packet_samples + (n_samples % packet_samples != 0);
}

int stream_frames_for(const RsdStreamInfo *info, int64_t n_samples)
{
    return (int)((n_samples + info->hop_samples - 1) / info->hop_samples);
}

size_t stream_layer_codes(const RsdStreamInfo *info, int layer, int n_frames)
{
    const int stride = info->layer_strides[layer];

    return (size_t)((n_frames + stride - 1) / stride) * (size_t)info->layer_stages[layer];
}

double stream_stage_bps(const RsdStreamInfo *info, int layer)
{
    return (double)info->rate_hz / info->hop_samples * info->bits_per_code / info->layer_strides[layer];
}
