/* net_stream.h - half a codec at work on one stream: latents and codes from samples, or samples from codes, chunk by
 * chunk.
 *
 * All chunks but the last have one of the lengths announced at open. They are run once on silence then, so that every
 * buffer has its size before the first sample: later calls allocate nothing.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_NET_STREAM_H
#define RESIDUA_NET_STREAM_H

#include "codec/model.h"

typedef struct NetStream NetStream;

/* Frames per chunk that keep the network's kernels busy and its temporaries in the cache; 1 to at_most. */
int net_stream_chunk_frames(const RsdModelInfo *info, int at_most);

/* Paths of a search with `effort` of RsdEncoderOptions. Errors: RSD_ERR_ARG. */
RsdStatus net_stream_choose_paths(int *n_paths, const RsdModel *model, int effort, RsdError *err);

/* An encoder (n_paths of a search, 1 .. audio_codec_max_paths) or decoder (n_paths 0) of n_stages stages for chunks of n_frames frames
 * and, if not 0, of other_frames frames. model and threads are kept; threads NULL: the calling thread alone. */
RsdStatus net_stream_open(NetStream **out, const RsdModel *model, RsdThreads *threads, int n_paths, int n_stages,
                          int n_frames, int other_frames, RsdError *err);
/* The same for signals by themselves: up to n_whole samples at once (frames * hop for a decoder), besides chunks of n_frames
 * frames (0: none). */
RsdStatus net_stream_open_for(NetStream **out, const RsdModel *model, RsdThreads *threads, int n_paths, int n_stages,
                              int n_frames, int64_t n_whole, RsdError *err);
void net_stream_close(NetStream **net);

/* How much later the output comes than the input: an encoder's in frames, a decoder's in samples; 0 for a causal model. So
 * much of the first output precedes the signal: throw it away, and feed as much after the end. */
int64_t net_stream_lag(const NetStream *net);
/* The signal ends n_frames frames after what was fed so far; before the chunk that reaches beyond the end is fed. */
void net_stream_end(NetStream *net, int n_frames);

/* samples [channels, n_frames * hop] -> codes [n_stages, n_frames]. */
RsdStatus net_stream_encode(NetStream *net, const float *samples, int n_frames, uint16_t *codes, RsdError *err);
/* The last chunk of a stream, of any length -> codes [n_stages, ceil(n_samples / hop)]. The stream begins again. */
RsdStatus net_stream_encode_last(NetStream *net, const float *samples, int64_t n_samples, uint16_t *codes,
                                 RsdError *err);
/* A whole signal by itself; the stream is not touched. */
RsdStatus net_stream_encode_whole(NetStream *net, const float *samples, int64_t n_samples, uint16_t *codes,
                                  RsdError *err);
RsdStatus net_stream_decode_whole(NetStream *net, const uint16_t *codes, int n_stages, int n_frames,
                                  const float **samples, RsdError *err);
/* codes [n_stages, n_frames], n_stages as at open or fewer, NULL for frames that are lost
 * -> *samples [channels, n_frames * hop], valid until the next
 * call. */
RsdStatus net_stream_decode(NetStream *net, const uint16_t *codes, int n_stages, int n_frames, const float **samples,
                            RsdError *err);
/* The stream begins again. */
void net_stream_restart(NetStream *net);

#endif
