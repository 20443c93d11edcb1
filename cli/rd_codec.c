/* rd_codec.c - the table of peers, and what stands in it for our model.
 *
 * Peers get the slow settings that their users would choose for quality, as far as a comparison stays a matter of minutes; the
 * sentence beside each goes into every report. Dials are spread so that pictures take from about 0.1 to 1.5 bits per pixel.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cli/rd_codec.h"

#include <stdio.h>

#include "cli/model_choice.h"
#include "cli/picture_tune.h"

static const PeerFormat opus = {.encoder = "libopus", .muxer = "opus", .options = "vbr=on:compression_level=10"};
static const PeerFormat opus_speech = {.encoder = "libopus",
                                       .muxer = "opus",
                                       .options = "vbr=on:compression_level=10:application=voip"};
static const PeerFormat aac = {.encoder = "aac", .muxer = "ipod", .options = "aac_coder=twoloop"};
static const PeerFormat mp3 = {.encoder = "libmp3lame", .muxer = "mp3", .options = "abr=1:compression_level=0"};
static const PeerFormat vorbis = {.encoder = "libvorbis", .muxer = "ogg"};

static const PeerFormat jpeg = {.encoder = PEER_LIBJPEG};
static const PeerFormat webp = {
    .encoder = "libwebp", .options = "compression_level=6", .dial = "quality", .pixels = "bgra"};
static const PeerFormat jpeg2000 = {.encoder = PEER_OPENJPEG};
static const PeerFormat jpeg_xl = {
    .encoder = "libjxl", .options = "effort=7", .dial = "distance", .pixels = "rgb24", .grey = "gray"};
static const PeerFormat avif = {.encoder = "libaom-av1",
                                .muxer = "avif",
                                .options = "still-picture=1:cpu-used=4",
                                .dial = "crf",
                                .pixels = "yuv444p"};

static const RdCodec peers[] = {
    {"opus",
     "Opus",
     "libopus, VBR, complexity 10, 20 ms frames, application audio; Ogg",
     &eval_kind_audio,
     &opus,
     "opus",
     "quality",
     {{6000, 0}, {9000, 0}, {12000, 0}, {16000, 0}, {24000, 0}, {32000, 0}},
     6, 0},
    {"opus-speech",
     "Opus speech",
     "libopus, VBR, complexity 10, 20 ms frames, application voip; Ogg",
     &eval_kind_audio,
     &opus_speech,
     "opus",
     "quality",
     {{6000, 0}, {9000, 0}, {12000, 0}, {16000, 0}, {24000, 0}, {32000, 0}},
     6, 0},
    {"aac",
     "AAC-LC",
     "libavcodec's own encoder, two-loop search; MP4",
     &eval_kind_audio,
     &aac,
     "m4a",
     "quality",
     {{8000, 0}, {12000, 0}, {16000, 0}, {24000, 0}, {32000, 0}, {48000, 0}},
     6, 0},
    {"mp3",
     "MP3",
     "LAME, average bit rate, quality 0 (the slowest)",
     &eval_kind_audio,
     &mp3,
     "mp3",
     "quality",
     {{8000, 0}, {16000, 0}, {24000, 0}, {32000, 0}, {48000, 0}},
     5, 0},
    {"vorbis",
     "Vorbis",
     "libvorbis, by quality (VBR); Ogg",
     &eval_kind_audio,
     &vorbis,
     "ogg",
     "quality",
     {{0, -1}, {0, 0}, {0, 1}, {0, 2}, {0, 4}, {0, 6}},
     6, 0},
    {"jpeg",
     "JPEG",
     "libjpeg, baseline, 4:2:0, optimised Huffman codes",
     &eval_kind_image,
     &jpeg,
     NULL,
     "quality",
     {{0, 5}, {0, 10}, {0, 18}, {0, 30}, {0, 45}, {0, 60}, {0, 75}, {0, 85}},
     8, 0},
    {"webp",
     "WebP",
     "libwebp, method 6 (the slowest), 4:2:0",
     &eval_kind_image,
     &webp,
     NULL,
     "quality",
     {{0, 0}, {0, 5}, {0, 15}, {0, 30}, {0, 50}, {0, 70}, {0, 80}, {0, 90}},
     8, 0},
    {"jpeg2000",
     "JPEG 2000",
     "OpenJPEG, 9/7 wavelet, colour transform, one layer; JP2",
     &eval_kind_image,
     &jpeg2000,
     NULL,
     "1 :",
     {{0, 240}, {0, 120}, {0, 80}, {0, 54}, {0, 36}, {0, 24}, {0, 16}},
     7, 0},
    {"jxl",
     "JPEG XL",
     "libjxl, effort 7, VarDCT with XYB",
     &eval_kind_image,
     &jpeg_xl,
     NULL,
     "distance",
     {{0, 15}, {0, 10}, {0, 7}, {0, 5}, {0, 3.5}, {0, 2.4}, {0, 1.7}, {0, 1.2}},
     8, 0},
    {"avif",
     "AVIF",
     "libaom, 4:4:4, 8 bits, speed 4, one thread; AVIF",
     &eval_kind_image,
     &avif,
     NULL,
     "crf",
     {{0, 61}, {0, 54}, {0, 47}, {0, 40}, {0, 32}, {0, 24}},
     6, 0},
};

const RdCodec *rd_peer_at(size_t i)
{
    return i < sizeof peers / sizeof *peers ? &peers[i] : NULL;
}

/* ---- ours ---- */

bool rd_codec_searches(const RdCodec *codec)
{
    return codec->effort >= SEARCH_FIRST_EFFORT;
}

RsdStatus rd_model_open(RdModel *model, const EvalKind *kind, const char *choice, const char *tune, RsdError *err)
{
    RsdStatus status = RSD_OK;

    if (kind == &eval_kind_audio)
        return model_choice_open(&model->sound, choice, AUDIO_USE_RUN, err);
    TRY(picture_choice_open(&model->image, choice, picture_builtin_twin(tune), IMAGE_USE_ALL, err));
    TRY(picture_model_create(&model->picture, model->image, err));
    if (picture_is_tuned(tune)) {
        TRY(tune_loss_create(&model->loss, tune, err));
        model->tune = tune;
    }
fail:
    return status;
}

void rd_model_close(RdModel *model)
{
    rsd_model_close(&model->sound);
    picture_model_destroy(&model->picture);
    image_codec_destroy(&model->image);
    tune_loss_clear(&model->loss);
}

static void describe_sound(RdCodec *codec, const RsdModel *model, char settings[RD_SETTINGS_SIZE])
{
    static const int stages[] = {1, 2, 3, 4, 6, 8, 12, 16, 24, 32};
    const RsdModelInfo *info = rsd_model_info(model);

    codec->kind = &eval_kind_audio;
    snprintf(settings, RD_SETTINGS_SIZE, "model %s, %d Hz, %d channel%s; .rsd file", info->name, info->rate_hz, info->channels,
             info->channels == 1 ? "" : "s");
    for (size_t i = 0; i < sizeof stages / sizeof *stages && codec->n_settings < RD_MAX_SETTINGS; i++)
        if (stages[i] <= info->n_stages)
            codec->ladder[codec->n_settings++].bitrate_bps = (int)(audio_codec_bitrate_bps(&model->codec->config, stages[i]) + 0.5);
}

static void describe_picture(RdCodec *codec, const RdModel *model, int effort, char settings[RD_SETTINGS_SIZE])
{
    const ImageCodec *image = model->image;
    const bool searches = rd_codec_searches(codec), is_tuned = searches && model->loss.named;
    static const char *const names[] = {
        RD_OURS " effort 1", RD_OURS,             RD_OURS " effort 3", RD_OURS " effort 4", RD_OURS " effort 5",
        RD_OURS " effort 6", RD_OURS " effort 7", RD_OURS " effort 8", RD_OURS " effort 9"};

    codec->kind = &eval_kind_image;
    codec->name = codec->title = names[effort - 1];
    codec->dial = "level";
    snprintf(settings, RD_SETTINGS_SIZE, "model %s, %s --effort %d%s%s; .rsd file", image->config.name,
             searches ? "search of" : "quantiser of", effort, is_tuned ? " --tune " : "", is_tuned ? model->tune : "");
    for (int level = 0; level <= image_codec_level_max(&image->config) / 16; level++)
        codec->ladder[codec->n_settings++].quality = level;
}

void rd_describe_ours(RdCodec *codec, const RdModel *model, int effort, char settings[RD_SETTINGS_SIZE])
{
    *codec = (RdCodec){.name = RD_OURS, .title = RD_OURS, .settings = settings, .ending = "rsd", .effort = model->sound ? 0 : effort};
    if (model->sound)
        describe_sound(codec, model->sound, settings);
    else
        describe_picture(codec, model, effort, settings);
}

const char *rd_setting_text(char text[RD_SETTING_SIZE], const RdCodec *codec, const RdSetting *setting)
{
    if (setting->bitrate_bps)
        snprintf(text, RD_SETTING_SIZE, "%g kbit/s", setting->bitrate_bps / 1000.0);
    else
        snprintf(text, RD_SETTING_SIZE, "%s %g", codec->dial, setting->quality);
    return text;
}
