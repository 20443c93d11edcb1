/* decoder.c - packets to codes to samples, as they are asked for.
 *
 *   read callback -> packet reader -> [codes of a packet] -> network, chunk by chunk -> [samples of a chunk] -> read()
 *
 * How a packet is cut into chunks depends on the header alone, so the samples do not depend on the caller's blocks. The
 * chunk that ends the signal is filled with codes 0 to its full length; the samples of these are dropped.
 *
 * Samples of a network that looks ahead come late: the first that come out of it are dropped, and at the end chunks of
 * nothing push out the last. Where packets are lost such a network runs on, on nothing, because it still holds samples from
 * before; a causal one delivers silence and starts again.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "codec/bitpack.h"
#include "codec/ecdc.h"
#include "codec/first_bytes.h"
#include "codec/net_stream.h"
#include "codec/packet_reader.h"
#include "engine/base/mem.h"

struct RsdDecoder {
    FirstBytes first;
    EcdcDecoder *ecdc; /* does the work for that container; NULL for .rsd */
    PacketReader *reader;
    const RsdModel *model;
    RsdModel *own_model; /* found by name */
    NetStream *net;
    int max_stages;   /* of a frame that the network gets */
    RsdStatus failed; /* RSD_OK, or what every further call returns */
    RsdError failure;
    bool at_end;
    RsdStatus ending;    /* what follows when everything owed is delivered: RSD_OK, or why the stream cannot go on */
    RsdError end_failure;

    uint16_t *packet_codes; /* [frames, max_stages] of the packet at hand */
    int n_stages;           /* of these, used in this packet */
    bool is_lost;           /* there are no codes: frames of a hole */
    int64_t n_frames, frame; /* all, and already decoded */
    int64_t n_owed;         /* samples of packets read so far that no chunk holds yet */
    int64_t n_skip;         /* samples to come out of the network before the first of the signal */

    uint16_t *chunk_codes; /* [n_stages, frames of a chunk] */
    int chunk_frames;
    const float *chunk;                      /* [channels, chunk_samples], the network's */
    size_t chunk_samples, chunk_at, n_chunk; /* n_chunk: samples that belong to the signal */
    int64_t n_silence;                       /* samples of silence to deliver before anything else is decoded */
};

void rsd_decoder_default_options(RsdDecoderOptions *options)
{
    memset(options, 0, sizeof *options);
}

/* ---- Opening ---- */

static RsdStatus find_model(RsdDecoder *decoder, const RsdDecoderOptions *options, RsdError *err)
{
    const RsdStreamInfo *info = &packet_reader_header(decoder->reader)->info;
    const char *name = packet_reader_name(decoder->reader);
    const RsdModelInfo *model;
    RsdStatus status = RSD_OK;

    decoder->model = options->model;
    if (!decoder->model) {
        status = rsd_model_open_builtin(&decoder->own_model, info->model_name, err);
        if (status == RSD_ERR_MODEL)
            return error_prefix(err, status, "%s: needs a model file", name);
        TRY(status);
        decoder->model = decoder->own_model;
    }
    model = &decoder->model->info;
    CHECK(strcmp(info->model_name, model->name) == 0, err, RSD_ERR_MODEL, "%s: needs model %s; this is %s", name,
          info->model_name, model->name);
    if (!audio_codec_knows_hash(decoder->model->codec, info->model_hash)) {
        char wanted[MODEL_HASH_TEXT_SIZE], given[MODEL_HASH_TEXT_SIZE];

        model_hash_print(wanted, info->model_hash);
        model_hash_print(given, model->hash);
        CHECK(false, err, RSD_ERR_MODEL,
              "%s: needs model %s with hash %s; this one has %s; give the model file that the stream was encoded with", name,
              model->name, wanted, given);
    }
    CHECK(info->rate_hz == model->rate_hz && info->channels == model->channels &&
              info->hop_samples == model->hop_samples && info->bits_per_code == model->bits_per_code &&
              info->n_stages <= model->n_stages,
          err, RSD_ERR_CORRUPT,
          "%s: header: %d Hz, %d channels, %d samples per frame, %d stages of %d bits; model %s has %d Hz, %d, %d, %d "
          "of %d",
          name, info->rate_hz, info->channels, info->hop_samples, info->n_stages, info->bits_per_code, model->name,
          model->rate_hz, model->channels, model->hop_samples, model->n_stages, model->bits_per_code);
fail:
    return status;
}

static RsdStatus take_memory(RsdDecoder *decoder, const RsdDecoderOptions *options, RsdError *err)
{
    const RsdStreamInfo *info = &packet_reader_header(decoder->reader)->info;
    size_t n_stages = (size_t)info->n_stages;
    RsdStatus status = RSD_OK;

    decoder->max_stages = info->n_stages;
    if (options->max_stages > 0 && options->max_stages < info->n_stages)
        decoder->max_stages = options->max_stages;
    decoder->chunk_frames = net_stream_chunk_frames(&decoder->model->info, info->frames_per_packet);
    TRY(mem_alloc(&decoder->packet_codes, n_stages * (size_t)info->frames_per_packet, sizeof *decoder->packet_codes,
                  err));
    TRY(mem_alloc(&decoder->chunk_codes, n_stages * (size_t)decoder->chunk_frames, sizeof *decoder->chunk_codes, err));
    TRY(net_stream_open(&decoder->net, decoder->model, options->threads, 0, decoder->max_stages,
                        decoder->chunk_frames, info->frames_per_packet % decoder->chunk_frames, err));
    decoder->n_skip = net_stream_lag(decoder->net);
fail:
    return status;
}

RsdStatus rsd_decoder_open(RsdDecoder **out, const RsdDecoderOptions *options, RsdError *err)
{
    RsdDecoderOptions ahead = *options;
    PacketReaderOptions reader_options = {.read = first_bytes_read,
                                          .name = options->name,
                                          .advice = "decode with --keep-going to fill damage with silence",
                                          .keep_going = options->keep_going,
                                          .on_damage = options->on_damage,
                                          .damage_ctx = options->damage_ctx};
    RsdDecoder *decoder = NULL;
    RsdStatus status = RSD_OK;

    *out = NULL;
    CHECK(options->read, err, RSD_ERR_ARG, "a decoder needs a read function");
    CHECK(options->max_stages >= 0, err, RSD_ERR_ARG, "at most %d stages asked for", options->max_stages);
    TRY(mem_calloc(&decoder, 1, sizeof *decoder, err));
    TRY(first_bytes_look(&decoder->first, options->read, options->read_ctx, err));
    reader_options.read_ctx = &decoder->first;
    if (first_bytes_are_ecdc(&decoder->first)) {
        ahead.read = first_bytes_read;
        ahead.read_ctx = &decoder->first;
        TRY(ecdc_decoder_open(&decoder->ecdc, &ahead, err));
        decoder->model = options->model;
        *out = decoder;
        return RSD_OK;
    }
    TRY(packet_reader_open(&decoder->reader, &reader_options, err));
    TRY(find_model(decoder, options, err));
    TRY(take_memory(decoder, options, err));
    *out = decoder;
    return RSD_OK;
fail:
    rsd_decoder_close(&decoder);
    return status;
}

void rsd_decoder_close(RsdDecoder **decoder)
{
    RsdDecoder *old = *decoder;

    if (!old)
        return;
    ecdc_decoder_close(&old->ecdc);
    net_stream_close(&old->net);
    packet_reader_close(&old->reader);
    rsd_model_close(&old->own_model);
    mem_free(&old->packet_codes);
    mem_free(&old->chunk_codes);
    mem_free(decoder);
}

/* ---- Packets to chunks ---- */

/* Unpacks the layers that are sound and wanted into packet_codes [frames, max_stages]. */
static void unpack(RsdDecoder *decoder, const Packet *packet)
{
    const RsdStreamInfo *info = &packet_reader_header(decoder->reader)->info;
    int first_stage = 0;

    for (int layer = 0; layer < packet->n_good && first_stage < decoder->max_stages; layer++) {
        const int n_layer = info->layer_stages[layer], stride = info->layer_strides[layer];
        BitReader bits;

        bit_reader_init(&bits, packet->blocks[layer], packet->block_sizes[layer]);
        for (int frame = 0; frame < packet->n_frames; frame++)
            for (int i = 0; i < n_layer; i++) {
                uint16_t *code = decoder->packet_codes + frame * decoder->max_stages + first_stage + i;
                const bool wanted = first_stage + i < decoder->max_stages;
                uint32_t bits_of_it;

                if (frame % stride != 0) { /* that of the frame before goes on */
                    if (wanted)
                        *code = code[-decoder->max_stages];
                    continue;
                }
                bits_of_it = bit_reader_get(&bits, info->bits_per_code);
                if (wanted)
                    *code = (uint16_t)bits_of_it;
            }
        first_stage += n_layer;
    }
    decoder->n_stages = first_stage < decoder->max_stages ? first_stage : decoder->max_stages;
    decoder->n_frames = packet->n_frames;
    decoder->is_lost = false;
    decoder->frame = 0;
    decoder->n_owed += packet->n_samples;
}

static void pass_hole(RsdDecoder *decoder, int64_t n_samples)
{
    int hop = packet_reader_header(decoder->reader)->info.hop_samples;

    if (net_stream_lag(decoder->net) == 0) {
        decoder->n_silence = n_samples;
        net_stream_restart(decoder->net);
        return;
    }
    decoder->is_lost = true;
    decoder->n_frames = (n_samples + hop - 1) / hop;
    decoder->frame = 0;
    decoder->n_owed += n_samples;
}

static RsdStatus next_packet(RsdDecoder *decoder, RsdError *err)
{
    ReaderItem item;
    RsdStatus status = RSD_OK;

    TRY(packet_reader_next(decoder->reader, &item, err));
    switch (item.event) {
    case READER_CODES:
        unpack(decoder, &item.packet);
        break;
    case READER_LOST:
        pass_hole(decoder, item.n_samples);
        break;
    case READER_END:
        decoder->at_end = true;
        break;
    case READER_OPTIONAL:
        break;
    }
fail:
    return status;
}

static RsdStatus next_chunk(RsdDecoder *decoder, RsdError *err)
{
    const RsdStreamInfo *info = &packet_reader_header(decoder->reader)->info;
    int64_t n_left = decoder->n_frames - decoder->frame, n;
    /* As of a full packet: these chunks were announced. */
    int n_full = info->frames_per_packet - (int)(decoder->frame % info->frames_per_packet);
    int n_frames = n_full < decoder->chunk_frames ? n_full : decoder->chunk_frames;
    bool no_codes = decoder->is_lost || n_left <= 0;
    RsdStatus status = RSD_OK;

    for (int i = 0; i < decoder->n_stages && !no_codes; i++)
        for (int frame = 0; frame < n_frames; frame++)
            decoder->chunk_codes[i * n_frames + frame] =
                frame < n_left ? decoder->packet_codes[(decoder->frame + frame) * decoder->max_stages + i] : 0;
    if (n_left >= 0 && n_left < n_frames)
        net_stream_end(decoder->net, (int)n_left);
    TRY(net_stream_decode(decoder->net, no_codes ? NULL : decoder->chunk_codes, decoder->n_stages, n_frames,
                          &decoder->chunk, err));
    decoder->frame += n_frames;
    decoder->chunk_samples = (size_t)n_frames * (size_t)info->hop_samples;
    decoder->chunk_at = decoder->chunk_samples;
    if (decoder->n_skip < (int64_t)decoder->chunk_samples)
        decoder->chunk_at = (size_t)decoder->n_skip;
    decoder->n_skip -= (int64_t)decoder->chunk_at;
    n = (int64_t)(decoder->chunk_samples - decoder->chunk_at);
    if (n > decoder->n_owed)
        n = decoder->n_owed;
    decoder->n_owed -= n;
    decoder->n_chunk = decoder->chunk_at + (size_t)n;
fail:
    return status;
}

/* ---- Reading ---- */

/* The network still holds samples from before the damage: they come first. */
static RsdStatus end_with(RsdDecoder *decoder, RsdStatus status, const RsdError *failure)
{
    decoder->ending = status;
    decoder->end_failure = *failure;
    decoder->at_end = true;
    return RSD_OK;
}

/* Delivers what is at hand: silence or the rest of a chunk. Returns how many samples that were. */
static size_t deliver(RsdDecoder *decoder, float *samples, size_t stride, size_t max_samples)
{
    size_t channels = (size_t)packet_reader_header(decoder->reader)->info.channels;
    size_t n = decoder->n_chunk - decoder->chunk_at;

    if (decoder->n_silence > 0)
        n = (uint64_t)decoder->n_silence < SIZE_MAX ? (size_t)decoder->n_silence : SIZE_MAX;
    if (n > max_samples)
        n = max_samples;
    for (size_t c = 0; c < channels; c++) {
        if (decoder->n_silence > 0)
            memset(samples + c * stride, 0, n * sizeof *samples);
        else if (n > 0)
            memcpy(samples + c * stride, decoder->chunk + c * decoder->chunk_samples + decoder->chunk_at,
                   n * sizeof *samples);
    }
    if (decoder->n_silence > 0)
        decoder->n_silence -= (int64_t)n;
    else
        decoder->chunk_at += n;
    return n;
}

RsdStatus rsd_decoder_read(RsdDecoder *decoder, float *samples, size_t stride, size_t max_samples, size_t *n_read,
                           RsdError *err)
{
    RsdError failure = {RSD_OK, ""};
    RsdStatus status = decoder->failed;

    *n_read = 0;
    if (decoder->ecdc && status == RSD_OK)
        status = ecdc_decoder_read(decoder->ecdc, samples, stride, max_samples, n_read, &failure);
    while (!decoder->ecdc && status == RSD_OK && *n_read < max_samples) {
        size_t n = deliver(decoder, samples + *n_read, stride, max_samples - *n_read);

        *n_read += n;
        if (n > 0)
            continue;
        if (decoder->frame < decoder->n_frames || (decoder->at_end && decoder->n_owed > 0))
            status = next_chunk(decoder, &failure);
        else if (decoder->at_end) {
            status = decoder->ending;
            failure = decoder->end_failure;
            break;
        } else {
            status = next_packet(decoder, &failure);
            if (status != RSD_OK && decoder->n_owed > 0)
                status = end_with(decoder, status, &failure);
        }
    }
    if (status != RSD_OK && decoder->failed == RSD_OK) {
        decoder->failed = status;
        decoder->failure = failure;
    }
    if (status != RSD_OK)
        error_set(err, status, "%s", decoder->failure.text);
    return status;
}

const RsdStreamInfo *rsd_decoder_info(const RsdDecoder *decoder)
{
    return decoder->ecdc ? ecdc_decoder_info(decoder->ecdc) : &packet_reader_header(decoder->reader)->info;
}

const RsdStreamReport *rsd_decoder_report(const RsdDecoder *decoder)
{
    return decoder->ecdc ? ecdc_decoder_report(decoder->ecdc) : packet_reader_report(decoder->reader);
}

const RsdModelInfo *rsd_decoder_model(const RsdDecoder *decoder)
{
    return &decoder->model->info;
}
