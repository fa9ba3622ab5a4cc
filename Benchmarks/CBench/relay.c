#define _GNU_SOURCE
#include "relay.h"

#include <arpa/inet.h>
#include <errno.h>
#include <gnutls/crypto.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { most_events = 1024 };
/// Without any progress for so long, a phase has failed.
static const double patience = 30;

bool relay_fail(cbench_relay *relay, const char *format, ...) {
    if (!relay->failed) {
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(relay->error, sizeof relay->error, format, arguments);
        va_end(arguments);
    }
    relay->failed = true;
    return false;
}

const char *cbench_relay_error(const cbench_relay *relay) { return relay->error; }
uint16_t cbench_relay_backend_port(const cbench_relay *relay) { return relay->backend_port; }

/// Random octets, or random letters with line ends, so that contents differ from place to place.
static char *make_pattern(bool letters) {
    char *pattern = malloc(pattern_size + largest_step);
    if (!pattern) return NULL;
    if (gnutls_rnd(GNUTLS_RND_NONCE, pattern, pattern_size) < 0) {
        free(pattern);
        return NULL;
    }
    for (size_t i = 0; letters && i < pattern_size; i++) {
        unsigned char octet = (unsigned char)pattern[i];
        pattern[i] = octet < 4 ? '\n' : octet < 48 ? ' ' : (char)('a' + octet % 26);
    }
    memcpy(pattern + pattern_size, pattern, largest_step);
    return pattern;
}

static bool open_listener(cbench_relay *relay) {
    relay->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (relay->listener < 0 || bind(relay->listener, (struct sockaddr *)&address, size) < 0
        || listen(relay->listener, 1024) < 0 || getsockname(relay->listener, (struct sockaddr *)&address, &size) < 0)
        return relay_fail(relay, "no listener: %s", strerror(errno));
    relay->backend_port = ntohs(address.sin_port);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(relay->poll, EPOLL_CTL_ADD, relay->listener, &event);
    return true;
}

cbench_relay *cbench_relay_create(const cbench_relay_options *options, char *error, size_t error_size) {
    cbench_relay *relay = calloc(1, sizeof *relay);
    if (!relay) return NULL;
    relay->options = *options;
    relay->listener = -1;
    relay->poll = epoll_create1(EPOLL_CLOEXEC);
    snprintf(relay->domain, sizeof relay->domain, "%s", options->domain ? options->domain : "127.0.0.1");
    snprintf(relay->user, sizeof relay->user, "%s", options->user ? options->user : "");
    snprintf(relay->password, sizeof relay->password, "%s", options->password ? options->password : "");
    uint64_t random = 0;
    gnutls_rnd(GNUTLS_RND_NONCE, &random, sizeof random);
    wire_put_hex(relay->nonce, random, 16);
    relay->credentials = link_credentials();
    relay->texts = make_pattern(true);
    relay->binary = make_pattern(false);
    relay->sessions = calloc(options->sessions, sizeof *relay->sessions);
    relay->dirty = calloc(2 * (size_t)options->sessions, sizeof(relay_end *));
    bool made = relay->poll >= 0 && relay->credentials && relay->texts && relay->binary && relay->sessions
        && relay->dirty && options->sessions > 0;
    if (!made) relay_fail(relay, "no memory, or no sessions");
    for (unsigned i = 0; relay->sessions && i < options->sessions; i++) {
        relay_session *session = &relay->sessions[i];
        session->index = i;
        session->client = (relay_end){.link.descriptor = -1, .session = session, .is_client = true};
        session->peer = (relay_end){.link.descriptor = -1, .session = session};
        const char *scheme = options->tls ? "msrps" : "msrp";
        snprintf(
            session->client_uri, sizeof session->client_uri, "%s://127.0.0.1:2855/c%s%u;tcp", scheme, relay->nonce, i);
        snprintf(session->peer_uri, sizeof session->peer_uri, "%s://127.0.0.1:2856/p%s%u;tcp", scheme, relay->nonce, i);
    }
    if (made && !options->authenticates) made = open_listener(relay);
    if (made) return relay;
    snprintf(error, error_size, "%s", relay->error);
    cbench_relay_destroy(relay);
    return NULL;
}

void cbench_relay_destroy(cbench_relay *relay) {
    for (unsigned i = 0; relay->sessions && i < relay->options.sessions; i++) {
        link_close(&relay->sessions[i].client.link);
        link_close(&relay->sessions[i].peer.link);
    }
    if (relay->listener >= 0) close(relay->listener);
    if (relay->poll >= 0) close(relay->poll);
    if (relay->credentials) gnutls_certificate_free_credentials(relay->credentials);
    free(relay->sessions);
    free(relay->dirty);
    free(relay->texts);
    free(relay->binary);
    free(relay);
}

// MARK: The loop

void relay_mark_dirty(cbench_relay *relay, relay_end *end) {
    if (end->dirty) return;
    end->dirty = true;
    relay->dirty[relay->dirty_count++] = end;
}

static void set_interest(cbench_relay *relay, relay_end *end) {
    bool reads = !(relay->stalled && end->is_client);
    struct epoll_event event = {.data.ptr = end};
    event.events = (reads ? (uint32_t)EPOLLIN : 0) | (end->writing ? (uint32_t)EPOLLOUT : 0);
    epoll_ctl(relay->poll, EPOLL_CTL_MOD, end->link.descriptor, &event);
}

static bool flush_dirty(cbench_relay *relay) {
    for (unsigned i = 0; i < relay->dirty_count; i++) {
        relay_end *end = relay->dirty[i];
        end->dirty = false;
        if (end->link.descriptor < 0) continue;
        bool pending = false, feeds = !end->is_client && end->session->state == BOUND_PEER;
        if (feeds && !relay_feed(relay, end->session)) return false;
        if (link_flush(&end->link, &pending) == LINK_CLOSED)
            return relay_fail(
                relay, "the connection of session %u's %s was closed while writing", end->session->index,
                end->is_client ? "client" : "peer");
        // A SEND that goes on asks for the next turn, so that one peer does not keep the others waiting.
        pending = pending || (feeds && end->session->open_octets > 0);
        if (pending == end->writing) continue;
        end->writing = pending;
        set_interest(relay, end);
    }
    relay->dirty_count = 0;
    return true;
}

static bool readable(cbench_relay *relay, relay_end *end) {
    if (link_read(&end->link) == LINK_CLOSED)
        return relay_fail(
            relay, "the connection of session %u's %s was closed", end->session->index,
            end->is_client ? "client" : "peer");
    if (buffer_count(&end->link.sealed_output) > 0 || buffer_count(&end->link.output) > 0)
        relay_mark_dirty(relay, end);
    return relay_input(relay, end);
}

bool relay_pump(cbench_relay *relay, int milliseconds) {
    if (!flush_dirty(relay)) return false;
    struct epoll_event events[most_events];
    int count = epoll_wait(relay->poll, events, most_events, milliseconds);
    if (count < 0 && errno != EINTR) return relay_fail(relay, "epoll: %s", strerror(errno));
    for (int i = 0; i < count; i++) {
        relay_end *end = events[i].data.ptr;
        if (!end) {
            if (!relay_accept(relay)) return false;
            continue;
        }
        // Closed since epoll told of it.
        if (end->link.descriptor < 0) continue;
        if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR) && !readable(relay, end)) return false;
        if (events[i].events & EPOLLOUT) relay_mark_dirty(relay, end);
    }
    return flush_dirty(relay);
}

bool relay_stuck(cbench_relay *relay, uint64_t *seen, double *since) {
    double now = now_seconds();
    if (relay->progress != *seen) {
        *seen = relay->progress;
        *since = now;
    }
    return now - *since > patience;
}

bool cbench_relay_rest(cbench_relay *relay, int milliseconds) {
    double end = now_seconds() + milliseconds * 1e-3;
    while (now_seconds() < end)
        if (!relay_pump(relay, 20)) return false;
    return true;
}

void cbench_relay_stall(cbench_relay *relay, bool stalled) {
    relay->stalled = stalled;
    for (unsigned i = 0; i < relay->options.sessions; i++)
        if (relay->sessions[i].client.link.descriptor >= 0) set_interest(relay, &relay->sessions[i].client);
}
