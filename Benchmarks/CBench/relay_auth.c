#define _GNU_SOURCE
#include "relay.h"

#include <gnutls/crypto.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { md5_size = 16, frame_size = 4096 };

/// The MD5 of a text in hexadecimal digits (RFC 7616 section 3.4).
static bool md5(char out[2 * md5_size + 1], const char *format, ...) __attribute__((format(printf, 2, 3)));

static bool md5(char out[2 * md5_size + 1], const char *format, ...) {
    char text[2048];
    unsigned char digest[md5_size];
    va_list arguments;
    va_start(arguments, format);
    int count = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (count < 0 || (size_t)count >= sizeof text) return false;
    if (gnutls_hash_fast(GNUTLS_DIG_MD5, text, (size_t)count, digest) < 0) return false;
    for (unsigned i = 0; i < md5_size; i++) wire_put_hex(out + 2 * i, digest[i], 2);
    out[2 * md5_size] = 0;
    return true;
}

/// The value of a parameter of `Digest a="b", c=d`, without its quotes.
static bool parameter(slice header, const char *name, char *out, size_t size) {
    const char *at = header.bytes, *limit = at + header.count;
    size_t length = strlen(name);
    while (at < limit && *at != ' ') at++;
    while (at < limit) {
        while (at < limit && (*at == ' ' || *at == ',' || *at == '\t')) at++;
        const char *key = at;
        while (at < limit && *at != '=' && *at != ',') at++;
        size_t key_size = (size_t)(at - key);
        if (at == limit || *at++ != '=') continue;
        bool quoted = at < limit && *at == '"';
        const char *value = quoted ? ++at : at;
        while (at < limit && (quoted ? *at != '"' : *at != ',' && *at != ' ')) at++;
        size_t value_size = (size_t)(at - value);
        if (quoted && at < limit) at++;
        if (key_size != length || strncasecmp(key, name, length) != 0) continue;
        if (value_size >= size) return false;
        memcpy(out, value, value_size);
        out[value_size] = 0;
        return true;
    }
    return false;
}

/// The To-Path: the relay itself, or the session that is refreshed (RFC 4976 section 5.1).
static void put_target(const cbench_relay *relay, const relay_session *session, char *out, size_t size) {
    if (*session->use_path && !relay->reconnects) snprintf(out, size, "%s", session->use_path);
    else snprintf(out, size, "%s://%s:%u;tcp", relay->options.tls ? "msrps" : "msrp", relay->domain, relay->port);
}

static bool send_auth(cbench_relay *relay, relay_session *session, const char *authorization) {
    char *start = buffer_reserve(&session->client.link.output, frame_size);
    if (!start) return relay_fail(relay, "no memory");
    const char *attempt = *authorization ? "b" : "a";
    char target[longest_path];
    put_target(relay, session, target, sizeof target);
    int count = snprintf(
        start, frame_size, "MSRP auth%s%08x AUTH\r\nTo-Path: %s\r\nFrom-Path: %s\r\n%s-------auth%s%08x$\r\n",
        attempt, session->index, target, session->client_uri, authorization, attempt, session->index);
    if (count < 0 || count >= frame_size) return relay_fail(relay, "an AUTH is too long");
    session->client.link.output.end += (size_t)count;
    relay_mark_dirty(relay, &session->client);
    return true;
}

bool relay_ask(cbench_relay *relay, relay_session *session) {
    session->state = ASKING;
    return send_auth(relay, session, "");
}

static bool prove(cbench_relay *relay, relay_session *session, const wire_message *challenge) {
    slice header;
    char realm[256], nonce[256], opaque[256], method[2 * md5_size + 1], secret[2 * md5_size + 1];
    char response[2 * md5_size + 1], cnonce[17], authorization[2048], shown[300] = "";
    // The last one is MD5's where there are several.
    if (!wire_last_header(challenge, "WWW-Authenticate", &header) || !parameter(header, "realm", realm, sizeof realm)
        || !parameter(header, "nonce", nonce, sizeof nonce))
        return relay_fail(relay, "session %u's client was not challenged", session->index);
    if (parameter(header, "opaque", opaque, sizeof opaque)) snprintf(shown, sizeof shown, ", opaque=\"%s\"", opaque);
    char uri[longest_path];
    put_target(relay, session, uri, sizeof uri);
    snprintf(cnonce, sizeof cnonce, "%08x%08x", session->index, (unsigned)relay->authentications);
    bool made = md5(secret, "%s:%s:%s", relay->user, realm, relay->password) && md5(method, "AUTH:%s", uri)
        && md5(response, "%s:%s:00000001:%s:auth:%s", secret, nonce, cnonce, method);
    int count = snprintf(
        authorization, sizeof authorization,
        "Authorization: Digest username=\"%s\", realm=\"%s\", nonce=\"%s\", uri=\"%s\", response=\"%s\", "
        "cnonce=\"%s\", qop=auth, nc=00000001%s\r\n",
        relay->user, realm, nonce, uri, response, cnonce, shown);
    if (!made || count < 0 || (size_t)count >= sizeof authorization)
        return relay_fail(relay, "the challenge is too long");
    session->state = PROVING;
    return send_auth(relay, session, authorization);
}

bool relay_auth_answered(cbench_relay *relay, relay_session *session, const wire_message *response) {
    if (session->state == ASKING && response->status == 401) return prove(relay, session, response);
    slice path;
    if (session->state != PROVING || response->status != 200)
        return relay_fail(relay, "session %u's client got %d", session->index, response->status);
    if (!wire_last_header(response, "Use-Path", &path) || path.count >= sizeof session->use_path)
        return relay_fail(relay, "session %u's client got no Use-Path", session->index);
    memcpy(session->use_path, path.bytes, path.count);
    session->use_path[path.count] = 0;
    session->state = AUTHENTICATED;
    relay_session_advanced(relay, session);
    return true;
}
