#define _GNU_SOURCE
#include "wire.h"

#include <string.h>
#include <strings.h>

enum { longest_transaction = 64, longest_head = 16384 };

bool slice_equal(slice a, slice b) { return a.count == b.count && memcmp(a.bytes, b.bytes, a.count) == 0; }

size_t wire_put_number(char *out, uint64_t value) {
    char digits[20];
    size_t n = 0;
    do digits[n++] = (char)('0' + value % 10);
    while (value /= 10);
    for (size_t i = 0; i < n; i++) out[i] = digits[n - 1 - i];
    return n;
}

void wire_put_hex(char *out, uint64_t value, unsigned digits) {
    for (unsigned i = digits; i-- > 0; value >>= 4) out[i] = "0123456789abcdef"[value & 15];
}

static bool named(const char *line, size_t colon, const char *name, size_t length) {
    return colon == length && strncasecmp(line, name, length) == 0;
}

/// The size that a Byte-Range `1-N/N` announces, or -1.
static long announced_size(slice range) {
    size_t i = 0;
    uint64_t start = 0, end = 0;
    while (i < range.count && range.bytes[i] >= '0' && range.bytes[i] <= '9' && i < 12)
        start = start * 10 + (uint64_t)(range.bytes[i++] - '0');
    if (i >= range.count || range.bytes[i++] != '-') return -1;
    size_t digits = 0;
    while (i < range.count && range.bytes[i] >= '0' && range.bytes[i] <= '9' && digits++ < 12)
        end = end * 10 + (uint64_t)(range.bytes[i++] - '0');
    if (!digits || start == 0 || end + 1 < start) return -1;
    return (long)(end + 1 - start);
}

int wire_end_line_at(const char *at, const char *limit, slice transaction) {
    size_t have = (size_t)(limit - at), need = 7 + transaction.count + 3;
    static const char hyphens[] = "-------";
    if (memcmp(at, hyphens, have < 7 ? have : 7) != 0) return 0;
    if (have > 7) {
        size_t tail = have - 7 < transaction.count ? have - 7 : transaction.count;
        if (memcmp(at + 7, transaction.bytes, tail) != 0) return 0;
    }
    if (have < need) return -1;
    char flag = at[7 + transaction.count];
    return (flag == '$' || flag == '+' || flag == '#') && at[need - 2] == '\r' && at[need - 1] == '\n';
}

wire_result wire_parse_head(const char *bytes, size_t count, wire_message *message) {
    const char *limit = bytes + count;
    const char *newline = memchr(bytes, '\n', count);
    if (!newline) return count > longest_head ? WIRE_BAD : WIRE_MORE;
    if (newline - bytes < 8 || newline[-1] != '\r' || memcmp(bytes, "MSRP ", 5) != 0) return WIRE_BAD;
    memset(message, 0, sizeof *message);

    const char *id = bytes + 5, *space = memchr(id, ' ', (size_t)(newline - id));
    if (!space || space == id || space - id > longest_transaction) return WIRE_BAD;
    message->transaction = (slice){id, (size_t)(space - id)};
    const char *word = space + 1;
    if (newline - word >= 4 && word[0] >= '0' && word[0] <= '9' && word[1] >= '0' && word[1] <= '9' && word[2] >= '0'
        && word[2] <= '9')
        message->status = (word[0] - '0') * 100 + (word[1] - '0') * 10 + (word[2] - '0');
    else
        message->method = (slice){word, (size_t)(newline - 1 - word)};

    const char *line = newline + 1;
    message->headers.bytes = line;
    for (;;) {
        if (line == limit) return line - bytes > longest_head ? WIRE_BAD : WIRE_MORE;
        if (*line == '-') {
            int end = wire_end_line_at(line, limit, message->transaction);
            if (end < 0) return WIRE_MORE;
            if (!end) return WIRE_BAD;
            message->headers.count = (size_t)(line - message->headers.bytes);
            message->flag = line[7 + message->transaction.count];
            message->size = (size_t)(line - bytes) + 7 + message->transaction.count + 3;
            return WIRE_MESSAGE;
        }
        newline = memchr(line, '\n', (size_t)(limit - line));
        if (!newline) return limit - bytes > longest_head ? WIRE_BAD : WIRE_MORE;
        if (newline == line || newline[-1] != '\r') return WIRE_BAD;
        if (newline == line + 1) break;
        const char *colon = memchr(line, ':', (size_t)(newline - line));
        if (!colon || colon[1] != ' ') return WIRE_BAD;
        slice value = {colon + 2, (size_t)(newline - 1 - (colon + 2))};
        size_t length = (size_t)(colon - line);
        if (named(line, length, "To-Path", 7)) message->to_path = value;
        else if (named(line, length, "From-Path", 9)) message->from_path = value;
        else if (named(line, length, "Message-ID", 10)) message->message_id = value;
        else if (named(line, length, "Byte-Range", 10)) message->byte_range = value;
        else if (named(line, length, "Content-Type", 12)) message->content_type = value;
        else if (named(line, length, "Failure-Report", 14)) message->failure_report = value;
        else if (named(line, length, "Success-Report", 14)) message->success_report = value;
        line = newline + 1;
    }

    message->headers.count = (size_t)(line - message->headers.bytes);
    message->has_body = true;
    message->body.bytes = newline + 1;
    message->size = (size_t)(message->body.bytes - bytes);
    return WIRE_MESSAGE;
}

wire_result wire_parse(const char *bytes, size_t count, wire_message *message) {
    size_t scanned = 0;
    return wire_parse_on(bytes, count, message, &scanned);
}

wire_result wire_parse_on(const char *bytes, size_t count, wire_message *message, size_t *scanned) {
    wire_result result = wire_parse_head(bytes, count, message);
    if (result != WIRE_MESSAGE || !message->has_body) return result;
    const char *limit = bytes + count;
    // Where the Byte-Range says the end is, it is nearly always.
    long size = announced_size(message->byte_range);
    if (size >= 0 && limit - message->body.bytes > size + 2) {
        const char *at = message->body.bytes + size;
        if (at[0] == '\r' && at[1] == '\n' && wire_end_line_at(at + 2, limit, message->transaction) == 1) {
            message->body.count = (size_t)size;
            message->flag = at[2 + 7 + message->transaction.count];
            message->size = (size_t)(at + 2 - bytes) + 7 + message->transaction.count + 3;
            *scanned = 0;
            return WIRE_MESSAGE;
        }
    }
    const char *from = message->body.bytes;
    if (*scanned > (size_t)(from - bytes)) from = bytes + *scanned;
    for (;;) {
        const char *at = memmem(from, (size_t)(limit - from), "\r\n-------", 9);
        if (!at) {
            // An end-line may begin in the last eight octets.
            if (limit - from > 8) *scanned = (size_t)(limit - bytes) - 8;
            return WIRE_MORE;
        }
        int end = wire_end_line_at(at + 2, limit, message->transaction);
        if (end < 0) {
            *scanned = (size_t)(at - bytes);
            return WIRE_MORE;
        }
        if (end) {
            *scanned = 0;
            message->body.count = (size_t)(at - message->body.bytes);
            message->flag = at[2 + 7 + message->transaction.count];
            message->size = (size_t)(at + 2 - bytes) + 7 + message->transaction.count + 3;
            return WIRE_MESSAGE;
        }
        from = at + 1;
    }
}

bool wire_last_header(const wire_message *message, const char *name, slice *value) {
    const char *line = message->headers.bytes, *limit = line + message->headers.count;
    size_t length = strlen(name);
    bool found = false;
    while (line < limit) {
        const char *newline = memchr(line, '\n', (size_t)(limit - line));
        if (!newline) break;
        if ((size_t)(newline - line) > length + 2 && line[length] == ':' && strncasecmp(line, name, length) == 0) {
            *value = (slice){line + length + 2, (size_t)(newline - 1 - (line + length + 2))};
            found = true;
        }
        line = newline + 1;
    }
    return found;
}
