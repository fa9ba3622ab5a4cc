/// The texts that the load generators send, and the latencies of their arrivals.
#ifndef CBENCH_TEXT_H
#define CBENCH_TEXT_H

#include "CBench.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { text_size = 100 };

/// "s0001 n000000000042 abcdef...": who, which, and a pattern that differs from message to message.
void text_put(char *out, unsigned sender, uint64_t number);

/// Who and which; false when it is no such text.
bool text_parse(const char *text, uint64_t *sender, uint64_t *number);

bool text_parse_hex(const char *at, unsigned digits, uint64_t *value);

/// Octets without line ends that stand for pictures and files; the same every time. Reading may start at any of the
/// first `content_shifts` octets. NULL when there is no memory.
const char *content_octets(size_t count);
enum { content_shifts = 64 };

/// How often each latency was seen, by steps of ten microseconds up to five seconds.
enum { latency_step = 10, latency_steps = 500000 };
typedef struct {
    uint32_t *counts;
    uint64_t total;
    double longest;
} latency_counts;

bool latency_start(latency_counts *latencies);
void latency_free(latency_counts *latencies);
void latency_note(latency_counts *latencies, double seconds);
/// In milliseconds; 0 when nothing was noted.
double latency_quantile(const latency_counts *latencies, double quantile);

#endif
