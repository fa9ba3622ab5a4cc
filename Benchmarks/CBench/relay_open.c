#define _GNU_SOURCE
#include "relay.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <signal.h>
#include <unistd.h>

static bool watch(cbench_relay *relay, relay_end *end, bool serves) {
    int one = 1;
    setsockopt(end->link.descriptor, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    fcntl(end->link.descriptor, F_SETFL, O_NONBLOCK);
    if (relay->options.tls && !link_start_tls(&end->link, relay->credentials, serves))
        return relay_fail(relay, "TLS cannot start");
    end->writing = end->in_body = false;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = end};
    epoll_ctl(relay->poll, EPOLL_CTL_ADD, end->link.descriptor, &event);
    relay_mark_dirty(relay, end);
    return true;
}

bool relay_connect(cbench_relay *relay, relay_end *end, uint16_t port) {
    end->link = (link_t){.descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (end->link.descriptor < 0 || connect(end->link.descriptor, (struct sockaddr *)&address, sizeof address) < 0)
        return relay_fail(relay, "connecting to port %u: %s", port, strerror(errno));
    return watch(relay, end, false);
}

/// What a copying proxy connects to: the client of the session whose peer came last.
bool relay_accept(cbench_relay *relay) {
    int descriptor = accept4(relay->listener, NULL, NULL, SOCK_CLOEXEC);
    if (descriptor < 0) return true;
    relay_session *session = &relay->sessions[relay->opened];
    if (relay->opened >= relay->options.sessions || session->client.link.descriptor >= 0) {
        close(descriptor);
        return relay_fail(relay, "somebody else connected");
    }
    session->client.link = (link_t){.descriptor = descriptor};
    return watch(relay, &session->client, true);
}

/// The empty SEND that binds a session (RFC 4975 section 5.4), over a connection of the peer's own.
bool relay_bind(cbench_relay *relay, relay_session *session) {
    if (!relay_connect(relay, &session->peer, relay->port)) return false;
    int count = snprintf(
        session->head, sizeof session->head, " SEND\r\nTo-Path: %s%s%s\r\nFrom-Path: %s\r\n", session->use_path,
        *session->use_path ? " " : "", session->client_uri, session->peer_uri);
    char *start = buffer_reserve(&session->peer.link.output, 2048);
    if (!start || count < 0 || (size_t)count >= sizeof session->head) return relay_fail(relay, "a path is too long");
    session->head_size = (size_t)count;
    count = snprintf(
        start, 2048, "MSRP bind%08x%sMessage-ID: b%08x\r\nByte-Range: 1-0/0\r\n-------bind%08x$\r\n", session->index,
        session->head, session->index, session->index);
    if (count < 0 || count >= 2048) return relay_fail(relay, "a bind is too long");
    session->peer.link.output.end += (size_t)count;
    session->state = BINDING_PEER;
    return true;
}

static bool begin(cbench_relay *relay, relay_session *session) {
    if (!relay->options.authenticates) return relay_bind(relay, session);
    return relay_connect(relay, &session->client, relay->port) && relay_ask(relay, session);
}

/// AUTH is done, or the bind is.
void relay_session_advanced(cbench_relay *relay, relay_session *session) {
    relay->progress++;
    if (session->state == BOUND_PEER) {
        relay->opened++;
    } else if (relay->authentications) {
        bool again = ++relay->authenticated + relay->options.sessions <= relay->authentications;
        if (relay->reconnects) link_close(&session->client.link);
        if (again && relay->reconnects) begin(relay, session);
        else if (again) relay_ask(relay, session);
    } else if (relay->binds) {
        relay_bind(relay, session);
    } else {
        relay->opened++;
    }
}

double cbench_relay_open(cbench_relay *relay, uint16_t port, unsigned concurrency, bool binds) {
    double started = now_seconds(), since = started;
    uint64_t seen = relay->progress;
    unsigned next = 0, total = relay->options.sessions;
    relay->port = port;
    relay->binds = binds;
    // Which connection of a proxy is whose is told by their order alone.
    if (!relay->options.authenticates) concurrency = 1;
    while (relay->opened < total && !relay->failed) {
        while (next < total && next - relay->opened < concurrency)
            if (!begin(relay, &relay->sessions[next++])) return -1;
        if (!relay_pump(relay, 100)) return -1;
        if (relay_stuck(relay, &seen, &since)) relay_fail(relay, "only %u of %u opened", relay->opened, total);
    }
    return relay->failed ? -1 : now_seconds() - started;
}

double cbench_relay_authenticate(cbench_relay *relay, uint16_t port, uint64_t count, bool reconnects) {
    double started = now_seconds(), since = started;
    uint64_t seen = relay->progress;
    relay->port = port;
    relay->authentications = count;
    relay->reconnects = reconnects;
    relay->authenticated = 0;
    for (unsigned i = 0; i < relay->options.sessions && i < count; i++)
        if (!begin(relay, &relay->sessions[i])) return -1;
    while (relay->authenticated < count && !relay->failed) {
        if (!relay_pump(relay, 100)) return -1;
        if (relay_stuck(relay, &seen, &since))
            relay_fail(relay, "only %llu authenticated", (unsigned long long)relay->authenticated);
    }
    return relay->failed ? -1 : now_seconds() - started;
}

uint16_t cbench_free_port(void) {
    int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    bool bound = descriptor >= 0 && bind(descriptor, (struct sockaddr *)&address, size) == 0
        && getsockname(descriptor, (struct sockaddr *)&address, &size) == 0;
    if (descriptor >= 0) close(descriptor);
    return bound ? ntohs(address.sin_port) : 0;
}

static const char pinned[] = "CONFD_BENCH_PINNED";

void cbench_pin(void) {
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    if (count < 2 || count > CPU_SETSIZE) return;
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)count - 1, &set);
    if (sched_setaffinity(0, sizeof set, &set) == 0) setenv(pinned, "1", 1);
}

static void pin_server(void) {
    if (!getenv(pinned)) return;
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    cpu_set_t set;
    CPU_ZERO(&set);
    for (long i = 0; i < count - 1; i++) CPU_SET((size_t)i, &set);
    sched_setaffinity(0, sizeof set, &set);
}

int cbench_become(char *const *arguments) {
    pin_server();
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    execv(arguments[0], arguments);
    perror(arguments[0]);
    return 127;
}
