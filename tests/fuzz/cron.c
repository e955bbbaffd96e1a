/*
 * An input is a cron expression behind a byte that says whether by local time. What is taken has a next
 * minute, later than any that it is asked about, and another one after it.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "work/cron.h"

int LLVMFuzzerInitialize(int *count, char ***arguments);
int LLVMFuzzerTestOneInput(const uint8_t *input, size_t bytes);

int LLVMFuzzerInitialize(int *count, char ***arguments) {
    (void)count, (void)arguments;
    setenv("TZ", "Europe/Berlin", 1);
    tzset();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t bytes) {
    struct ili_cron cron;
    struct ili_fault fault;
    if (bytes == 0 || bytes > ILI_CRON_BYTES) return 0;
    uint64_t hash = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < bytes; i++) hash = (hash ^ input[i]) * UINT64_C(1099511628211);
    int64_t after = (int64_t)(hash % UINT64_C(8000000000)) - INT64_C(1000000000);
    char *text = malloc(bytes); /* without anything behind it */
    if (!text) return 0;
    memcpy(text, input + 1, bytes - 1);
    if (ili_cron_parse(&cron, text, bytes - 1, &fault) == IL_OK) {
        bool local = input[0] & 1;
        int64_t next = ili_cron_next(&cron, local, after);
        if (next <= after || next % 60 != 0) abort();
        if (ili_cron_next(&cron, local, next - 1) != next) abort();
        if (ili_cron_next(&cron, local, next) <= next) abort();
    } else if (strcmp(fault.field, "cron") != 0 || !*fault.expected) {
        abort();
    }
    free(text);
    return 0;
}
