/* fuzz_container.c - scanning and cutting any bytes: no crash, bounded memory, and what is sound stays sound when cut.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "seeds.h"
#include "tests/fuzz/demand.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    fuzz_stream_seeds(*argc, *argv);
    return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    size = LLVMFuzzerMutate(data, size, max_size);
    if (seed % 4 != 0)
        fuzz_mend_stream(data, size);
    return size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FuzzBytes in = {.data = (uint8_t *)(uintptr_t)data, .size = size}, out = {0};
    RsdCutOptions options = {.read = fuzz_read, .read_ctx = &in, .write = fuzz_write, .write_ctx = &out, .n_layers = 1};
    RsdStreamInfo info, cut_info, again;
    RsdStreamReport report, cut_report;
    RsdError err = {RSD_OK, ""};
    RsdStatus scanned = rsd_stream_scan(&info, &report, fuzz_read, &in, "fuzz", &err), cut;

    demand((scanned == RSD_OK) == (err.text[0] == '\0'));
    demand(report.n_bytes <= (int64_t)size);
    if (scanned == RSD_OK) {
        demand(report.has_end && report.n_lost == 0 && report.n_layers_lost == 0);
        demand(info.n_samples == RSD_UNKNOWN_LENGTH || info.n_samples == report.n_samples);
    }
    in.at = 0;
    cut = rsd_stream_cut(&cut_info, &options, &err);
    demand((cut == RSD_OK) == (scanned == RSD_OK));
    if (cut == RSD_OK) {
        out.at = 0;
        demand(rsd_stream_scan(&again, &cut_report, fuzz_read, &out, "cut", &err) == RSD_OK);
        demand(memcmp(&again, &cut_info, sizeof again) == 0);
        demand(cut_report.n_samples == report.n_samples && cut_report.n_bytes <= report.n_bytes);
    }
    free(out.data);
    return 0;
}
