/// What the files of the relay's load generator share.
#ifndef CBENCH_RELAY_GENERATOR_H
#define CBENCH_RELAY_GENERATOR_H

#include "CBench.h"
#include "link.h"
#include "wire.h"

enum {
    longest_path = 640,
    /// Contents repeat after so many octets; from any place on, `largest_step` of them are contiguous.
    pattern_size = 1 << 20,
    largest_step = 1 << 16,
    id_digits = 16,
    longest_id = 64,
};

typedef struct relay_session relay_session;

/// One connection of a session.
typedef struct {
    link_t link;
    relay_session *session;
    bool is_client, dirty, writing;
    /// Within a SEND's body, and what its head said.
    bool in_body, wants_answer, wants_report;
    uint64_t range_start, body_octets;
    char id[longest_id], message_id[longest_id], from_path[longest_path];
    size_t id_size, message_id_size, from_path_size;
} relay_end;

typedef enum { CLOSED, ASKING, PROVING, AUTHENTICATED, BINDING_PEER, BOUND_PEER } session_state;

struct relay_session {
    unsigned index;
    session_state state;
    relay_end client, peer;
    char client_uri[128], peer_uri[128], use_path[longest_path];
    /// What all SENDs of the peer have in common: method and path lines.
    char head[2 * longest_path];
    size_t head_size;

    /// The peer's side: SENDs begun, 200s, octets that REPORTs told of, octets written, what is left of the open SEND.
    uint64_t started, answered, reported, queued, open_octets;
    /// The client's side: octets that arrived, end-lines by kind.
    uint64_t received, last_ends, other_ends;
    /// The same counters when the plan began.
    uint64_t first_send, first_octet;
};

struct cbench_relay {
    cbench_relay_options options;
    char domain[128], user[64], password[64], nonce[17], error[512];
    int poll, listener;
    uint16_t backend_port, port;
    bool failed, stalled, binds, reconnects;
    gnutls_certificate_credentials_t credentials;
    relay_session *sessions;
    relay_end **dirty;
    unsigned dirty_count, opened;
    uint64_t progress, authenticated, authentications;
    cbench_relay_plan plan;
    double plan_started;
    char *texts, *binary;
};

/// Notes the first failure; always false.
bool relay_fail(cbench_relay *relay, const char *format, ...) __attribute__((format(printf, 2, 3)));

void relay_mark_dirty(cbench_relay *relay, relay_end *end);

/// One wait and what follows from it, with one write a connection.
bool relay_pump(cbench_relay *relay, int milliseconds);

/// Without any progress for too long.
bool relay_stuck(cbench_relay *relay, uint64_t *seen, double *since);

// relay_auth.c
bool relay_ask(cbench_relay *relay, relay_session *session);
bool relay_auth_answered(cbench_relay *relay, relay_session *session, const wire_message *response);

// relay_open.c
bool relay_connect(cbench_relay *relay, relay_end *end, uint16_t port);
bool relay_accept(cbench_relay *relay);
bool relay_bind(cbench_relay *relay, relay_session *session);
void relay_session_advanced(cbench_relay *relay, relay_session *session);

// relay_traffic.c
bool relay_feed(cbench_relay *relay, relay_session *session);
bool relay_input(cbench_relay *relay, relay_end *end);

double now_seconds(void);

#endif
