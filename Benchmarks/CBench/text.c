#define _GNU_SOURCE
#include "text.h"

#include "wire.h"

#include <stdlib.h>
#include <string.h>

void text_put(char *out, unsigned sender, uint64_t number) {
    out[0] = 's';
    wire_put_hex(out + 1, sender, 4);
    out[5] = ' ';
    out[6] = 'n';
    wire_put_hex(out + 7, number, 12);
    out[19] = ' ';
    unsigned phase = (unsigned)(number % 26);
    for (int i = 20; i < text_size; i++) {
        out[i] = (char)('a' + phase);
        if (++phase == 26) phase = 0;
    }
}

bool text_parse_hex(const char *at, unsigned digits, uint64_t *value) {
    *value = 0;
    for (unsigned i = 0; i < digits; i++) {
        char c = at[i];
        unsigned digit = c >= '0' && c <= '9' ? (unsigned)(c - '0')
            : c >= 'a' && c <= 'f'            ? (unsigned)(c - 'a' + 10)
                                              : 16;
        if (digit > 15) return false;
        *value = *value << 4 | digit;
    }
    return true;
}

bool text_parse(const char *text, uint64_t *sender, uint64_t *number) {
    return text[0] == 's' && text[5] == ' ' && text[6] == 'n' && text_parse_hex(text + 1, 4, sender)
        && text_parse_hex(text + 7, 12, number);
}

const char *content_octets(size_t count) {
    static char *octets = NULL;
    static size_t have = 0;
    count += content_shifts;
    if (have >= count) return octets;
    char *larger = malloc(count);
    if (!larger) return NULL;
    // A xorshift: pictures and files don't compress either.
    uint64_t state = 0x9E3779B97F4A7C15u;
    for (size_t i = 0; i < count; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char octet = (char)(state >> 32);
        larger[i] = octet == '\n' || octet == '\r' ? '.' : octet;
    }
    // Whoever still reads the old octets keeps them: there are few sizes in one run.
    octets = larger;
    have = count;
    return octets;
}

bool latency_start(latency_counts *latencies) {
    latencies->total = 0;
    latencies->longest = 0;
    if (latencies->counts) memset(latencies->counts, 0, latency_steps * sizeof *latencies->counts);
    else latencies->counts = calloc(latency_steps, sizeof *latencies->counts);
    return latencies->counts != NULL;
}

void latency_free(latency_counts *latencies) {
    free(latencies->counts);
    memset(latencies, 0, sizeof *latencies);
}

void latency_note(latency_counts *latencies, double seconds) {
    double step = seconds * 1e6 / latency_step;
    size_t index = step < 0 ? 0 : step >= latency_steps ? latency_steps - 1 : (size_t)step;
    latencies->counts[index]++;
    latencies->total++;
    if (seconds > latencies->longest) latencies->longest = seconds;
}

double latency_quantile(const latency_counts *latencies, double quantile) {
    if (!latencies->counts || !latencies->total) return 0;
    uint64_t wanted = (uint64_t)(quantile * (double)latencies->total), seen = 0;
    for (size_t i = 0; i < latency_steps; i++) {
        seen += latencies->counts[i];
        if (seen > wanted || seen == latencies->total) return (double)((i + 1) * latency_step) / 1000;
    }
    return latencies->longest * 1000;
}
