/* rd_trials.h - what came of each thing at each setting, kept in a file of JSON lines while a long run goes on, so that it may be stopped and
 * run again, or shared out, without coding anything twice.
 *
 *   {"trial": codec, its settings, dial and model, and a checksum of the samples; "file", "bytes", "encode_s", "decode_s", "values": {"psnr": ..}}
 *
 * Lines are added whole, so that processes may share a file. One that makes no sense, as the last one of a run that was killed, is passed
 * over. Values have nine digits; "inf" and "-inf" stand for themselves, "-" for a convention, and null of older files is not known. Versions
 * of codecs, ours among them, are not in it: after an update of one a new file is due.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_CLI_RD_TRIALS_H
#define RESIDUA_CLI_RD_TRIALS_H

#include "cli/rd_run.h"

/* Reads what is in the file, which is made when it is not there. Errors: RSD_ERR_IO, RSD_ERR_CORRUPT (nothing in it makes sense),
 * RSD_ERR_MEMORY. */
RsdStatus rd_trials_open(RdTrials **out, const char *path, RsdError *err);
void rd_trials_close(RdTrials **trials);
/* How many lines were read. */
size_t rd_trials_count(const RdTrials *trials);

/* What a trial is known by. */
#define RD_TRIAL_KEY_SIZE 384
void rd_trial_key(char key[RD_TRIAL_KEY_SIZE], const RdRun *run, const RdCodec *codec, const RdSetting *setting, const RdThing *thing);
/* Fills in bytes, times and values; false, with nothing changed, where the trial or one of the set's metrics is not known. The latest line
 * with all of them counts. */
bool rd_trials_find(const RdTrials *trials, const char *key, const EvalSet *set, RdTrial *trial);
/* Any thread. Errors: RSD_ERR_IO. */
RsdStatus rd_trials_add(RdTrials *trials, const char *key, const char *file, const EvalSet *set, const RdTrial *trial, RsdError *err);

#endif
