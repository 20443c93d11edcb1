/* arithmetic_coder.c - see the header; audio.md 1.12 step by step.
 *
 * SPDX-License-Identifier: MIT
 */
#include "codec/arithmetic_coder.h"

#include <math.h>
#include <stdbool.h>

#define RANGE ((uint64_t)1 << ARITHMETIC_RANGE_BITS)
#define MIN_WEIGHT 2
#define ROUND_OFF 1e-8f
#define MAX_TOP 61

RsdStatus arithmetic_cdf(const float *p, int n, uint32_t *cdf, RsdError *err)
{
    const double alpha = (double)MIN_WEIGHT * n / (double)RANGE;
    const float share = (float)((1.0 - alpha) * (double)RANGE);
    uint64_t sum = 0;
    RsdStatus status = RSD_OK;

    for (int i = 0; i < n; i++) {
        const float rounded = floorf(p[i] / ROUND_OFF) * ROUND_OFF, weight = share * rounded;

        CHECK(weight >= 0.0f && weight <= (float)RANGE, err, RSD_ERR_NUMERIC, "probability %d is %g", i, (double)p[i]);
        sum += (uint64_t)weight + MIN_WEIGHT;
        CHECK(sum <= RANGE, err, RSD_ERR_NUMERIC, "the first %d probabilities sum to more than 1", i + 1);
        cdf[i] = (uint32_t)sum;
    }
fail:
    return status;
}

/* One bit more, until the interval is wide enough. What else is doubled is the decoder's business. */
static bool needs_bit(uint64_t low, uint64_t high)
{
    return high - low + 1 < RANGE;
}

/* The part of [low, high] that belongs to a symbol with cdf from a to b. */
static void narrow(uint64_t *low, uint64_t *high, uint64_t a, uint64_t b)
{
    const uint64_t width = *high - *low + 1;

    *high = *low + (b * width >> ARITHMETIC_RANGE_BITS);
    *low += (a * width + RANGE - 1) >> ARITHMETIC_RANGE_BITS;
}

static uint64_t lower_end(const uint32_t *cdf, int symbol)
{
    return symbol ? cdf[symbol - 1] : 0;
}

static bool top_bits_agree(uint64_t low, uint64_t high, int top)
{
    return top >= 0 && (low >> top) == (high >> top);
}

static RsdStatus too_long(RsdError *err)
{
    return error_set(err, RSD_ERR_UNSUPPORTED, "arithmetic coder: an interval of more than %d bits", MAX_TOP);
}

void arithmetic_encoder_init(ArithmeticEncoder *coder, PutBitFn put, void *ctx)
{
    *coder = (ArithmeticEncoder){.top = -1, .put = put, .ctx = ctx};
}

RsdStatus arithmetic_encode(ArithmeticEncoder *coder, const uint32_t *cdf, int n, int symbol, RsdError *err)
{
    RsdStatus status = RSD_OK;

    (void)n;
    while (needs_bit(coder->low, coder->high)) {
        coder->low *= 2;
        coder->high = 2 * coder->high + 1;
        if (++coder->top > MAX_TOP)
            return too_long(err);
    }
    narrow(&coder->low, &coder->high, lower_end(cdf, symbol), cdf[symbol] - 1);
    while (top_bits_agree(coder->low, coder->high, coder->top)) {
        const uint64_t bit = coder->low >> coder->top;

        TRY(coder->put(coder->ctx, (int)bit, err));
        coder->low -= bit << coder->top;
        coder->high -= bit << coder->top;
        coder->top--;
    }
fail:
    return status;
}

RsdStatus arithmetic_flush(ArithmeticEncoder *coder, RsdError *err)
{
    RsdStatus status = RSD_OK;

    for (; coder->top >= 0; coder->top--)
        TRY(coder->put(coder->ctx, (int)(coder->low >> coder->top & 1), err));
    arithmetic_encoder_init(coder, coder->put, coder->ctx);
fail:
    return status;
}

void arithmetic_decoder_init(ArithmeticDecoder *coder, GetBitFn get, void *ctx)
{
    *coder = (ArithmeticDecoder){.top = -1, .get = get, .ctx = ctx};
}

/* The symbol whose part of the interval holds `current`, or -1. */
static int find_symbol(const ArithmeticDecoder *coder, const uint32_t *cdf, int n)
{
    int first = 0, last = n - 1;

    while (first <= last) {
        const int middle = first + (last - first) / 2;
        uint64_t low = coder->low, high = coder->high;

        narrow(&low, &high, lower_end(cdf, middle), cdf[middle] - 1);
        if (coder->current < low)
            last = middle - 1;
        else if (coder->current > high)
            first = middle + 1;
        else
            return middle;
    }
    return -1;
}

RsdStatus arithmetic_decode(ArithmeticDecoder *coder, const uint32_t *cdf, int n, int *symbol, RsdError *err)
{
    int bit;
    RsdStatus status = RSD_OK;

    while (needs_bit(coder->low, coder->high)) {
        TRY(coder->get(coder->ctx, &bit, err));
        coder->low *= 2;
        coder->high = 2 * coder->high + 1;
        coder->current = 2 * coder->current + (uint64_t)bit;
        if (++coder->top > MAX_TOP)
            return too_long(err);
    }
    *symbol = find_symbol(coder, cdf, n);
    CHECK(*symbol >= 0, err, RSD_ERR_CORRUPT,
          "the bits belong to no code: the file is damaged, or the language model is another");
    narrow(&coder->low, &coder->high, lower_end(cdf, *symbol), cdf[*symbol] - 1);
    while (top_bits_agree(coder->low, coder->high, coder->top)) {
        const uint64_t top = coder->low >> coder->top << coder->top;

        coder->low -= top;
        coder->high -= top;
        coder->current -= top;
        coder->top--;
    }
fail:
    return status;
}
