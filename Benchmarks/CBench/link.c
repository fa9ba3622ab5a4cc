#define _GNU_SOURCE
#include "link.h"

#include "CBench.h"

#include <errno.h>
#include <gnutls/crypto.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { read_size = 65536, record_size = 16384 };

char *buffer_reserve(buffer *buffer, size_t count) {
    if (buffer->capacity - buffer->end < count) {
        if (buffer->start > 0) {
            memmove(buffer->bytes, buffer->bytes + buffer->start, buffer->end - buffer->start);
            buffer->end -= buffer->start;
            buffer->start = 0;
        }
        if (buffer->capacity - buffer->end < count) {
            size_t capacity = buffer->capacity ? buffer->capacity : 4096;
            while (capacity - buffer->end < count) capacity *= 2;
            char *bytes = realloc(buffer->bytes, capacity);
            if (!bytes) return NULL;
            buffer->bytes = bytes;
            buffer->capacity = capacity;
        }
    }
    return buffer->bytes + buffer->end;
}

bool buffer_append(buffer *buffer, const void *bytes, size_t count) {
    char *at = buffer_reserve(buffer, count);
    if (!at) return false;
    memcpy(at, bytes, count);
    buffer->end += count;
    return true;
}

void buffer_consume(buffer *buffer, size_t count) {
    buffer->start += count;
    if (buffer->start == buffer->end) buffer->start = buffer->end = 0;
}

void buffer_free(buffer *buffer) {
    free(buffer->bytes);
    memset(buffer, 0, sizeof *buffer);
}

/// A self-signed ECDSA P-256 certificate and its key; the caller frees both also on failure.
static bool make_certificate(gnutls_x509_crt_t *certificate, gnutls_x509_privkey_t *key) {
    *certificate = NULL;
    *key = NULL;
    if (gnutls_x509_privkey_init(key) < 0 || gnutls_x509_crt_init(certificate) < 0) return false;
    unsigned bits = GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1);
    unsigned char serial[8];
    bool made = gnutls_x509_privkey_generate(*key, GNUTLS_PK_ECDSA, bits, 0) >= 0
        && gnutls_rnd(GNUTLS_RND_NONCE, serial, sizeof serial) >= 0;
    serial[0] &= 0x7f;
    return made && gnutls_x509_crt_set_version(*certificate, 3) >= 0
        && gnutls_x509_crt_set_serial(*certificate, serial, sizeof serial) >= 0
        && gnutls_x509_crt_set_activation_time(*certificate, time(NULL) - 3600) >= 0
        && gnutls_x509_crt_set_expiration_time(*certificate, time(NULL) + 30 * 86400) >= 0
        && gnutls_x509_crt_set_dn(*certificate, "CN=cfanout", NULL) >= 0
        && gnutls_x509_crt_set_key(*certificate, *key) >= 0
        && gnutls_x509_crt_sign2(*certificate, *certificate, *key, GNUTLS_DIG_SHA256, 0) >= 0;
}

gnutls_certificate_credentials_t link_credentials(void) {
    gnutls_certificate_credentials_t credentials;
    gnutls_x509_privkey_t key;
    gnutls_x509_crt_t certificate;
    if (gnutls_certificate_allocate_credentials(&credentials) < 0) return NULL;
    bool made = make_certificate(&certificate, &key)
        && gnutls_certificate_set_x509_key(credentials, &certificate, 1, key) >= 0;
    if (certificate) gnutls_x509_crt_deinit(certificate);
    if (key) gnutls_x509_privkey_deinit(key);
    return made ? credentials : NULL;
}

bool cbench_write_certificate(const char *path) {
    gnutls_x509_privkey_t key;
    gnutls_x509_crt_t certificate;
    gnutls_datum_t first = {0}, second = {0};
    FILE *file = NULL;
    bool made = make_certificate(&certificate, &key)
        && gnutls_x509_crt_export2(certificate, GNUTLS_X509_FMT_PEM, &first) >= 0
        && gnutls_x509_privkey_export2_pkcs8(key, GNUTLS_X509_FMT_PEM, NULL, GNUTLS_PKCS_PLAIN, &second) >= 0
        && (file = fopen(path, "w")) && fwrite(first.data, 1, first.size, file) == first.size
        && fwrite(second.data, 1, second.size, file) == second.size;
    if (file && fclose(file) != 0) made = false;
    if (certificate) gnutls_x509_crt_deinit(certificate);
    if (key) gnutls_x509_privkey_deinit(key);
    gnutls_free(first.data);
    gnutls_free(second.data);
    return made;
}

static ssize_t push(gnutls_transport_ptr_t context, const void *bytes, size_t count) {
    link_t *link = context;
    return buffer_append(&link->sealed_output, bytes, count) ? (ssize_t)count : -1;
}

static ssize_t pull(gnutls_transport_ptr_t context, void *bytes, size_t count) {
    link_t *link = context;
    size_t have = buffer_count(&link->sealed_input);
    if (!have) {
        if (link->ended) return 0;
        gnutls_transport_set_errno(link->session, EAGAIN);
        return -1;
    }
    if (count > have) count = have;
    memcpy(bytes, link->sealed_input.bytes + link->sealed_input.start, count);
    buffer_consume(&link->sealed_input, count);
    return (ssize_t)count;
}

static int never_waits(gnutls_transport_ptr_t context, unsigned milliseconds) {
    (void)milliseconds;
    return buffer_count(&((link_t *)context)->sealed_input) > 0;
}

static link_state handshake(link_t *link) {
    if (link->handshaken) return LINK_ALIVE;
    int result;
    do result = gnutls_handshake(link->session);
    while (result < 0 && result != GNUTLS_E_AGAIN && !gnutls_error_is_fatal(result));
    if (result == GNUTLS_E_SUCCESS) link->handshaken = true;
    else if (result != GNUTLS_E_AGAIN) return LINK_CLOSED;
    return LINK_ALIVE;
}

bool link_start_tls(link_t *link, gnutls_certificate_credentials_t credentials, bool server) {
    if (gnutls_init(&link->session, (server ? GNUTLS_SERVER : GNUTLS_CLIENT) | GNUTLS_NONBLOCK) < 0) return false;
    gnutls_set_default_priority(link->session);
    gnutls_credentials_set(link->session, GNUTLS_CRD_CERTIFICATE, credentials);
    gnutls_transport_set_ptr(link->session, link);
    gnutls_transport_set_push_function(link->session, push);
    gnutls_transport_set_pull_function(link->session, pull);
    gnutls_transport_set_pull_timeout_function(link->session, never_waits);
    return handshake(link) == LINK_ALIVE;
}

link_state link_read(link_t *link) {
    buffer *target = link->session ? &link->sealed_input : &link->input;
    char *at = buffer_reserve(target, read_size);
    if (!at) return LINK_CLOSED;
    ssize_t n = recv(link->descriptor, at, target->capacity - target->end, 0);
    if (n < 0) return errno == EAGAIN || errno == EINTR ? LINK_ALIVE : LINK_CLOSED;
    if (n == 0) return LINK_CLOSED;
    target->end += (size_t)n;
    if (!link->session) return LINK_ALIVE;
    if (handshake(link) == LINK_CLOSED) return LINK_CLOSED;
    while (link->handshaken) {
        char *clear = buffer_reserve(&link->input, record_size);
        if (!clear) return LINK_CLOSED;
        size_t had = buffer_count(&link->sealed_input);
        ssize_t got = gnutls_record_recv(link->session, clear, record_size);
        if (got > 0) link->input.end += (size_t)got;
        // A session ticket is answered with "again" though records behind it wait in memory.
        else if (got == GNUTLS_E_AGAIN && (had == buffer_count(&link->sealed_input) || had == 0)) break;
        else if (got == GNUTLS_E_AGAIN) continue;
        else if (got == 0 || gnutls_error_is_fatal((int)got)) return LINK_CLOSED;
    }
    return LINK_ALIVE;
}

link_state link_flush(link_t *link, bool *pending) {
    buffer *source = &link->output;
    if (link->session) {
        while (link->handshaken && buffer_count(&link->output) > 0) {
            size_t count = buffer_count(&link->output);
            ssize_t taken = gnutls_record_send(
                link->session, link->output.bytes + link->output.start, count < record_size ? count : record_size);
            if (taken < 0) return LINK_CLOSED;
            buffer_consume(&link->output, (size_t)taken);
        }
        source = &link->sealed_output;
    }
    while (buffer_count(source) > 0) {
        ssize_t n = send(link->descriptor, source->bytes + source->start, buffer_count(source), MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && errno == EAGAIN) break;
        if (n < 0) return LINK_CLOSED;
        buffer_consume(source, (size_t)n);
    }
    *pending = buffer_count(source) > 0;
    return LINK_ALIVE;
}

void link_close(link_t *link) {
    if (link->session) gnutls_deinit(link->session);
    if (link->descriptor >= 0) close(link->descriptor);
    buffer_free(&link->input);
    buffer_free(&link->output);
    buffer_free(&link->sealed_input);
    buffer_free(&link->sealed_output);
    link->session = NULL;
    link->descriptor = -1;
}
