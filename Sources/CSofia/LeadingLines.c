/*
 * Lets a message begin after empty lines (RFC 3261 section 7.5), as keep-alives leave them before the next request.
 *
 * The library skips them, but where headers are kept as they came (MSG_FLG_EXTRACT_COPY) it copies the start line from
 * before what it skipped and then calls the message garbage, which ends the reading of a TCP connection.
 */
#include "internal.h"

#include <dlfcn.h>
#include <sofia-sip/msg_buffer.h>
#include <sofia-sip/msg_parser.h>

static size_t leading_space(char const *bytes, size_t count)
{
    size_t length = 0;
    while (length < count && (bytes[length] == '\r' || bytes[length] == '\n' || bytes[length] == ' '
                              || bytes[length] == '\t'))
        length++;
    return length;
}

/* Interposed: every message is parsed through this, again whenever more of it has come. */
int msg_extract(msg_t *msg)
{
    typedef int function(msg_t *);
    static function *original;
    if (original == NULL) original = (function *)dlsym(RTLD_NEXT, "msg_extract");
    if (original == NULL || msg == NULL) return -1;

    char *bytes = msg_buf_committed_data(msg);
    size_t const count = msg_buf_committed(msg);
    int const begun = MSG_FLG_HEADERS | MSG_FLG_BODY | MSG_FLG_TRAILERS | MSG_FLG_COMPLETE | MSG_FLG_ERROR;
    if (bytes != NULL && count > 0 && (msg_object(msg)->msg_flags & begun) == 0) {
        size_t const space = leading_space(bytes, count);
        if (space > 0 && space < count) {
            /* With nothing behind them, the empty lines are consumed and no more is asked. */
            char const first = bytes[space];
            bytes[space] = 0;
            int const result = original(msg);
            bytes[space] = first;
            if (result != 0) return result;
        }
    }
    return original(msg);
}
