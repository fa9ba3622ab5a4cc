/// MSRP framing as both programs need it: whole messages in a contiguous buffer.
#ifndef CBENCH_WIRE_H
#define CBENCH_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    const char *bytes;
    size_t count;
} slice;

typedef struct {
    slice transaction;
    /// Empty for a response.
    slice method;
    /// 0 for a request.
    int status;
    slice to_path, from_path, message_id, byte_range, content_type, failure_report, success_report;
    /// From the first header to before the blank line or the end-line.
    slice headers;
    slice body;
    bool has_body;
    char flag;
    /// Octets of the whole message, end-line included.
    size_t size;
} wire_message;

typedef enum { WIRE_MORE, WIRE_MESSAGE, WIRE_BAD } wire_result;

wire_result wire_parse(const char *bytes, size_t count, wire_message *message);

/// The same for long messages: `scanned` is 0 for a new one, and remembers where looking for its end goes on.
wire_result wire_parse_on(const char *bytes, size_t count, wire_message *message, size_t *scanned);

/// Only the head. Where a body follows, `size` ends at its first octet, and `flag` and `body.count` stay zero.
wire_result wire_parse_head(const char *bytes, size_t count, wire_message *message);

/// Whether an end-line of this transaction starts at `at`: 1 yes, 0 no, -1 not enough bytes to tell.
int wire_end_line_at(const char *at, const char *limit, slice transaction);

/// The value of the last header of that name.
bool wire_last_header(const wire_message *message, const char *name, slice *value);

bool slice_equal(slice a, slice b);

/// Writes `value` in decimal, returns the number of digits.
size_t wire_put_number(char *out, uint64_t value);

/// Writes `digits` lower-case hexadecimal digits of `value`.
void wire_put_hex(char *out, uint64_t value, unsigned digits);

#endif
