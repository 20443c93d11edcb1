/* exchange.h - sums of gradients over the processes of a run that send less than all of it.
 *
 *   a = gradient + what was held back before;  send C(a);  hold back a - C(a)         of each member, layer by layer
 *
 *   top       C: the share `keep` of the numbers that are largest, each with its place                     8 bytes a number sent
 *   low_rank  C: P Q^T with P = orthonormal(sum of a Q'), Q = a^T P, Q' the Q of the step before (PowerSGD)  4 r (rows + columns)
 *   bytes     C: whole numbers from -127 to 127 times the largest over 127, of each BLOCK                    1 byte a number
 *
 * What is held back is sent later (error feedback), so that nothing is lost for good. Vectors are sent whole. All members have the same
 * bits: what they send is added up in the order of their ranks. With `adaptive` layers share out the bytes (L-GreCo): of a few levels
 * for each the ones are taken that send least in all while the error of the whole stays what the same level everywhere would have.
 *
 * What is held back is part of the run's state: before a checkpoint exchange_collect brings that of all members to each of them, the first
 * writes it, and each takes its own back.
 *
 * [1] Vogels, Karimireddy, Jaggi, PowerSGD, 2019.   [2] Lin et al., Deep Gradient Compression, 2018.
 * [3] Seide et al., 1-Bit Stochastic Gradient Descent (error feedback), 2014.   [4] Alimohammadi et al., L-GreCo, 2023.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_EXCHANGE_H
#define RESIDUA_EXCHANGE_H

#include "engine/base/group.h"
#include "engine/weights/safetensors.h"
#include "models/params.h"

typedef enum ExchangeKind { EXCHANGE_ALL, EXCHANGE_TOP, EXCHANGE_LOW_RANK, EXCHANGE_BYTES } ExchangeKind;

#define EXCHANGE_MAX_RANK 64

typedef struct ExchangeConfig {
    int kind; /* ExchangeKind; EXCHANGE_ALL is no business of this file */
    float keep;
    int rank;
    bool adaptive;
} ExchangeConfig;

typedef struct ExchangeReport {
    double sent, whole; /* bytes that a member sends in a step, and would send of all numbers */
    double error;       /* energy held back over the energy of a, of all members */
} ExchangeReport;

typedef struct Exchange Exchange;

/* Of the trainable parameters of params; params and group are borrowed. Errors: RSD_ERR_MEMORY. */
RsdStatus exchange_create(Exchange **out, const ExchangeConfig *config, const ParamSet *params, Group *group, uint64_t seed,
                          RsdError *err);
void exchange_destroy(Exchange **exchange);

/* Gradients become about their sum over the group; all members call it. When one member's are not finite, all numbers are sent, so that
 * all see it, and what was held back stays. The same when a member has no memory for what it would send. */
void exchange_sum(Exchange *exchange, ExchangeReport *report);

/* All members call it: what each holds back comes together for exchange_save, until exchange_forget. Takes n_members times as many
 * numbers as the layers have. Errors, of all members alike: RSD_ERR_MEMORY. */
RsdStatus exchange_collect(Exchange *exchange, RsdError *err);
void exchange_forget(Exchange *exchange);
/* Adds "exchange.held" [n_members, numbers], "exchange.directions", "exchange.levels" [layers] and the metadata "exchange.steps" to a
 * file, borrowed until it is finished; nothing when nothing was collected. */
RsdStatus exchange_save(const Exchange *exchange, SafetensorsWriter *writer, RsdError *err);
/* *found: false when the file has none, or that of another number of members or another kind; then nothing has changed.
 * Errors: RSD_ERR_CORRUPT, RSD_ERR_NUMERIC naming the array. */
RsdStatus exchange_load(Exchange *exchange, const Safetensors *st, bool *found, RsdError *err);

#endif
