/// The load generator and the copying proxy of the relay's benchmark.
///
/// A session has two ends in this process: the *client*, which authenticated at the relay (AUTH, RFC 4976), and the
/// *peer*, which came from outside with the client's Use-Path. The peer sends, the client receives. With a proxy that
/// only copies there is no AUTH: the client is what the proxy connects to.
#ifndef CBENCH_RELAY_H
#define CBENCH_RELAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct cbench_relay cbench_relay;

/// Everything is on 127.0.0.1.
typedef struct {
    /// AUTH with digest (MD5), then a bind from outside. Otherwise the clients listen (`cbench_relay_backend_port`).
    bool authenticates;
    bool tls;
    unsigned sessions;
    /// The host part of AUTH's To-Path; NULL is 127.0.0.1.
    const char *domain;
    const char *user, *password;
} cbench_relay_options;

/// Which reports a SEND asks for.
typedef enum {
    /// Failure-Report: no. Nothing comes back.
    CBENCH_REPORTS_NONE,
    /// What a SEND without report headers asks for: a 200 from each hop.
    CBENCH_REPORTS_RESPONSES,
    /// Success-Report: yes. The 200s, and from the client a REPORT for each SEND.
    CBENCH_REPORTS_SUCCESS,
} cbench_reports;

/// What every session's peer sends.
typedef struct {
    /// Octets of each SEND's body.
    uint64_t size;
    /// SENDs that make up one message; 1 for texts.
    uint64_t sends_per_message;
    /// SENDs under way in a session.
    unsigned window;
    /// SENDs of a session; none is started after `seconds` (0: no such limit).
    uint64_t most_sends;
    double seconds;
    cbench_reports reports;
} cbench_relay_plan;

typedef struct {
    /// SENDs of the peers that arrived whole, with all that was to come back.
    uint64_t sends;
    uint64_t octets;
    /// End-lines with `+` that no peer wrote: chunks that the relay cut.
    uint64_t cuts;
    double seconds;
} cbench_relay_result;

typedef enum { CBENCH_RELAY_FAILED = -1, CBENCH_RELAY_GOES_ON = 0, CBENCH_RELAY_COMPLETE = 1 } cbench_relay_status;

/// NULL and a text in `error` when it cannot be made.
cbench_relay *cbench_relay_create(const cbench_relay_options *options, char *error, size_t error_size);
void cbench_relay_destroy(cbench_relay *relay);

/// The text of the last failure.
const char *cbench_relay_error(const cbench_relay *relay);

/// Where the clients listen; 0 when they authenticate.
uint16_t cbench_relay_backend_port(const cbench_relay *relay);

/// Opens all sessions through the server at `port`, at most `concurrency` at a time; `binds` says whether peers come
/// too. Seconds taken, or -1.
double cbench_relay_open(cbench_relay *relay, uint16_t port, unsigned concurrency, bool binds);

/// Authenticates (401, 200) `count` times, all sessions of the group at a time: each time over a connection of its own,
/// or all over the first one, which refreshes the session. Seconds, or -1.
double cbench_relay_authenticate(cbench_relay *relay, uint16_t port, uint64_t count, bool reconnects);

/// Every octet that a client gets is compared with what the peer sent, and must be the next one; every 200 and REPORT
/// must belong to a SEND. `start` sets the plan, `run` goes on until it is complete or, if not negative, for
/// `milliseconds`.
bool cbench_relay_start(cbench_relay *relay, const cbench_relay_plan *plan);
cbench_relay_status cbench_relay_run(cbench_relay *relay, int milliseconds, cbench_relay_result *result);

/// Serves what arrives for a while.
bool cbench_relay_rest(cbench_relay *relay, int milliseconds);

/// While stalled the clients read nothing.
void cbench_relay_stall(cbench_relay *relay, bool stalled);

/// Copies between what connects to `port` on 127.0.0.1 and a new connection to `backend`: one thread, epoll; `splices`
/// moves through a pipe, otherwise read and write. Prints `ccopy ready: port=N`; returns only on failure.
int cbench_copy_serve(uint16_t port, uint16_t backend, bool splices);

/// A TCP port of 127.0.0.1 that nobody has at the moment; 0 when there is none.
uint16_t cbench_free_port(void);

/// Writes a fresh self-signed certificate and then its key, in PEM.
bool cbench_write_certificate(const char *path);

/// From now on this program runs on the last processor only, and those that `cbench_become` makes on all others.
void cbench_pin(void);

/// Becomes the program of `arguments` (NULL at the end), which gets SIGTERM when our parent ends. Only returns on
/// failure.
int cbench_become(char *const *arguments);

#endif
