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
    slice to_path, from_path, message_id, byte_range, content_type;
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

bool slice_equal(slice a, slice b);

/// Writes `value` in decimal, returns the number of digits.
size_t wire_put_number(char *out, uint64_t value);

/// Writes `digits` lower-case hexadecimal digits of `value`.
void wire_put_hex(char *out, uint64_t value, unsigned digits);

#endif
