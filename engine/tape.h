/* tape.h - where ops run: memory, threads, kernels, and the record that backward replays in reverse.
 *
 * Every op takes a Tape first. Results and temporaries come from the tape's arena and are valid until tape_reset. While
 * `recording` is on, an op with an input that needs a gradient appends a node; tape_backward visits the nodes from last to
 * first. With recording off the same op calls are plain inference. A tape with a `stream` runs causal layers on one chunk
 * of a longer signal: each layer takes its left context from the stream state instead of padding (engine/stream.h).
 *
 *   x ──op──> h ──op──> y ──op──> loss            tape->nodes: [op, op, op]
 *   dx <──── dh <──── dy <──── 1                  tape_backward: 3rd, 2nd, 1st
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_TAPE_H
#define RESIDUA_TAPE_H

#include "engine/base/arena.h"
#include "engine/base/group.h"
#include "engine/base/threads.h"
#include "engine/tensor.h"

struct Kernels;     /* engine/kernels/kernels.h */
struct StreamState; /* engine/stream.h */

typedef struct Node Node;

/* What a recording tape keeps of a chain of blocks (engine/chain.h). */
typedef enum ChainPolicy {
    CHAIN_ALL, /* everything, as of any other ops */
    CHAIN_F32, /* the blocks' inputs */
    CHAIN_BF16 /* the same in 16 bits */
} ChainPolicy;

/* How a recording tape multiplies in convolutions of one tap, which are most of a network's work (engine/ops/conv_point.h). Sums,
 * and all that is kept, are float32. */
typedef enum TapePrecision {
    TAPE_F32,
    TAPE_BF16_GRADIENTS, /* bfloat16 on the way back */
    TAPE_BF16            /* in both directions */
} TapePrecision;

typedef struct Tape {
    Arena *arena;
    RsdThreads *threads;            /* borrowed; never NULL */
    const struct Kernels *kernels;  /* set picked at start */
    bool recording;
    ChainPolicy chain;              /* while recording */
    TapePrecision precision;
    struct StreamState *stream;     /* borrowed; NULL for whole signals */
    Node *last;                     /* nodes are linked backwards */
} Tape;

/* What backward needs of one op call. `saved` is whatever the op put there, in the arena. A backward rule is called only
 * when a gradient has reached `out`; it reads node->out->grad and adds to the gradients of the inputs through tape_grad. */
typedef RsdStatus (*NodeBackward)(Tape *tape, Node *node, RsdError *err);
struct Node {
    Node *previous;
    NodeBackward backward;
    Tensor *out;
    void *saved;
    int n_inputs;
    Tensor *in[]; /* NULL where an optional input was not given */
};

/* threads: borrowed, must outlive the tape. memory_limit: bytes the arena may hold, 0 for none. Starts with recording off.
 * Errors: RSD_ERR_MEMORY. */
RsdStatus tape_create(Tape **out, RsdThreads *threads, size_t memory_limit, RsdError *err);
void tape_destroy(Tape **tape);
/* Forgets all nodes and everything in the arena. Gradients of parameters stay (they are not in the arena). */
void tape_reset(Tape *tape);

/* New tensor in the arena with undefined contents. needs_grad is false. Errors: RSD_ERR_ARG, RSD_ERR_MEMORY. */
RsdStatus tape_tensor(Tape *tape, Tensor **out, int n_dims, const int64_t *shape, RsdError *err);
/* Arena tensor holding a copy of data [product of shape]. */
RsdStatus tape_input(Tape *tape, Tensor **out, int n_dims, const int64_t *shape, const float *data, RsdError *err);

/* For ops: call when the output is computed. When recording is on and an input needs a gradient, appends a node that keeps
 * the inputs and `saved`, and marks `out` as needing a gradient; otherwise does nothing. Errors: RSD_ERR_MEMORY. */
RsdStatus tape_record(Tape *tape, NodeBackward backward, Tensor *out, int n_inputs, Tensor *const *inputs, void *saved,
                      RsdError *err);
/* True when an op called now with these inputs will be recorded, so that it should keep what backward needs. */
bool tape_will_record(const Tape *tape, int n_inputs, Tensor *const *inputs);

/* For backward rules: where to put the gradient of x. Returns with *dx NULL when x is NULL or needs none. *add tells
 * whether to add to what is there (true) or to overwrite (false: memory is undefined). Parameters (own buffers) always add.
 * Asking is a promise: what is asked for must be written. An input given twice (x * x) is asked for twice, one after the
 * other, each written before the next is asked for.
 * Errors: RSD_ERR_MEMORY; RSD_ERR_ARG for a tensor with its own buffer that needs a gradient but has no place for it. */
RsdStatus tape_grad(Tape *tape, Tensor *x, float **dx, bool *add, RsdError *err);
/* For backward rules whose dx is dy unchanged (reshape, the sides of a sum): hands the memory of node->out's gradient on to
 * x where nothing has reached x yet, which saves a pass; at most once per call of a rule, as the last thing it does.
 * Otherwise adds by the kernel. */
RsdStatus tape_grad_pass(Tape *tape, Node *node, Tensor *x, RsdError *err);

/* Adds to the gradients of everything the scalar `loss` (one element) depends on, starting from d loss = 1. Afterwards
 * parameters and leaves hold gradients; those of tensors in between are gone, so that several backward passes over one
 * record add up in parameters and leaves, each counted once. Errors: RSD_ERR_ARG when loss depends on nothing that needs a
 * gradient, RSD_ERR_MEMORY (the step's gradients are then incomplete: clear them). */
RsdStatus tape_backward(Tape *tape, Tensor *loss, RsdError *err);
/* The same from a given gradient dy [shape of y], which is copied; nodes recorded after y are skipped as long as no
 * gradient reached them. This is how a balancer feeds combined loss gradients into the codec. */
RsdStatus tape_backward_from(Tape *tape, Tensor *y, const float *dy, RsdError *err);

/* Puts weight into the gradient of a scalar, so that the next backward pass carries it along. Errors: RSD_ERR_MEMORY. */
RsdStatus tape_seed(Tape *tape, Tensor *scalar, float weight, RsdError *err);

/* For rules that record a part of the graph anew: calls the rules of all nodes, last to first, whose outputs have a gradient. */
RsdStatus tape_replay(Tape *tape, RsdError *err);

/* Norm of the gradient that dy [shape of y] gives to the weight of the op that made y, its second input: a convolution's; between it and
 * y there may be ops of one input. With a group, whose members each have their part of y and dy and all call it, it is that of the sum of
 * their gradients.
 * Nothing else gets a gradient, and this one is gone afterwards. What losses weigh in the last layer of a decoder.
 * Errors: RSD_ERR_ARG when y was not made by an op with a weight that needs a gradient, RSD_ERR_MEMORY. */
RsdStatus tape_weight_grad_norm(Tape *tape, Tensor *y, const float *dy, Group *group, double *norm, RsdError *err);

/* For networks, while nothing is recorded: forgets everything in the arena since `mark` except *y, whose data move there. While a
 * tape records it does nothing. Errors: RSD_ERR_MEMORY. */
RsdStatus tape_keep(Tape *tape, ArenaMark mark, Tensor **y, RsdError *err);

/* Cuts the graph (stop-gradient): a tensor with the same data (shared) that needs no gradient; with needs_grad = true it is a new leaf
 * whose gradient can be read after a backward pass. */
RsdStatus tape_leaf(Tape *tape, const Tensor *x, bool needs_grad, Tensor **out, RsdError *err);

#endif
