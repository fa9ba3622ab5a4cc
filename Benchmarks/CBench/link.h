/// One non-blocking connection with its buffers, plain or TLS (GnuTLS over memory, so that a tick's output is one
/// write whatever the number of records).
#ifndef CBENCH_LINK_H
#define CBENCH_LINK_H

#include <gnutls/gnutls.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct {
    char *bytes;
    size_t start, end, capacity;
} buffer;

/// Room for `count` more octets at the end; NULL when there is no memory.
char *buffer_reserve(buffer *buffer, size_t count);
bool buffer_append(buffer *buffer, const void *bytes, size_t count);
void buffer_consume(buffer *buffer, size_t count);
void buffer_free(buffer *buffer);
static inline size_t buffer_count(const buffer *buffer) { return buffer->end - buffer->start; }

typedef struct {
    int descriptor;
    gnutls_session_t session;
    bool handshaken;
    bool ended;
    /// What the other side said, decrypted; what we want to say, not yet encrypted.
    buffer input, output;
    /// TLS records.
    buffer sealed_input, sealed_output;
} link_t;

/// Credentials of both roles: a fresh self-signed ECDSA P-256 certificate as server, trust in anybody as client.
gnutls_certificate_credentials_t link_credentials(void);

bool link_start_tls(link_t *link, gnutls_certificate_credentials_t credentials, bool server);

typedef enum { LINK_ALIVE, LINK_CLOSED } link_state;

/// One read from the socket (into `input`); drives the handshake.
link_state link_read(link_t *link);

/// One write of everything; `pending` says whether the socket took less.
link_state link_flush(link_t *link, bool *pending);

void link_close(link_t *link);

#endif
