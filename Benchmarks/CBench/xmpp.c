#define _GNU_SOURCE
#include "CBenchXMPP.h"

#include "group.h"
#include "link.h"
#include "text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { xmpp_events = 1024, longest_stanza = 65536 };
static const double patience = 20;

/// What a client waits for while it comes in.
typedef enum { AWAY, STREAM, SUCCESS, SECOND_STREAM, BOUND_RESOURCE, OWN_PRESENCE, IN_ROOM } client_state;

typedef struct {
    link_t link;
    client_state state;
    bool dirty, writing;
    unsigned index;
    uint64_t next;
} client;

struct cbench_xmpp {
    cbench_xmpp_options options;
    char domain[128], room[256], error[512];
    bool failed;
    int poll;
    client *clients;
    client **dirty;
    unsigned dirty_count, present;
    uint64_t started, completed, deliveries, progress;
    unsigned missing[most_window];
    double started_at[most_window];
    latency_counts latencies;
    double now;
};

static bool fault(cbench_xmpp *xmpp, const char *format, ...) __attribute__((format(printf, 2, 3)));

static bool fault(cbench_xmpp *xmpp, const char *format, ...) {
    if (!xmpp->failed) {
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(xmpp->error, sizeof xmpp->error, format, arguments);
        va_end(arguments);
    }
    xmpp->failed = true;
    return false;
}

const char *cbench_xmpp_error(const cbench_xmpp *xmpp) { return xmpp->error; }

cbench_xmpp *cbench_xmpp_create(const cbench_xmpp_options *options, char *error, size_t error_size) {
    cbench_xmpp *xmpp = calloc(1, sizeof *xmpp);
    if (!xmpp) return NULL;
    xmpp->options = *options;
    snprintf(xmpp->domain, sizeof xmpp->domain, "%s", options->domain);
    snprintf(xmpp->room, sizeof xmpp->room, "%s", options->room);
    xmpp->poll = epoll_create1(EPOLL_CLOEXEC);
    xmpp->clients = calloc(options->members, sizeof *xmpp->clients);
    xmpp->dirty = calloc(options->members, sizeof *xmpp->dirty);
    if (xmpp->poll >= 0 && xmpp->clients && xmpp->dirty && options->members > 1) {
        for (unsigned i = 0; i < options->members; i++) {
            xmpp->clients[i].index = i;
            xmpp->clients[i].link.descriptor = -1;
        }
        return xmpp;
    }
    snprintf(error, error_size, "no memory, or nobody to join");
    cbench_xmpp_destroy(xmpp);
    return NULL;
}

void cbench_xmpp_destroy(cbench_xmpp *xmpp) {
    for (unsigned i = 0; xmpp->clients && i < xmpp->options.members; i++)
        if (xmpp->clients[i].link.descriptor > 0) link_close(&xmpp->clients[i].link);
    if (xmpp->poll >= 0) close(xmpp->poll);
    latency_free(&xmpp->latencies);
    free(xmpp->clients);
    free(xmpp->dirty);
    free(xmpp);
}

// MARK: Output

static void mark_client(cbench_xmpp *xmpp, client *client) {
    if (client->dirty) return;
    client->dirty = true;
    xmpp->dirty[xmpp->dirty_count++] = client;
}

static bool say(cbench_xmpp *xmpp, client *client, const char *format, ...) __attribute__((format(printf, 3, 4)));

static bool say(cbench_xmpp *xmpp, client *client, const char *format, ...) {
    char *start = buffer_reserve(&client->link.output, 2048);
    if (!start) return fault(xmpp, "no memory");
    va_list arguments;
    va_start(arguments, format);
    int count = vsnprintf(start, 2048, format, arguments);
    va_end(arguments);
    if (count < 0 || count >= 2048) return fault(xmpp, "a stanza is too long");
    client->link.output.end += (size_t)count;
    mark_client(xmpp, client);
    return true;
}

static bool flush(cbench_xmpp *xmpp) {
    for (unsigned i = 0; i < xmpp->dirty_count; i++) {
        client *client = xmpp->dirty[i];
        client->dirty = false;
        bool pending = false;
        if (link_flush(&client->link, &pending) == LINK_CLOSED)
            return fault(xmpp, "the connection of client %u was closed", client->index);
        if (pending == client->writing) continue;
        struct epoll_event event = {.events = EPOLLIN | (pending ? EPOLLOUT : 0), .data.ptr = client};
        epoll_ctl(xmpp->poll, EPOLL_CTL_MOD, client->link.descriptor, &event);
        client->writing = pending;
    }
    xmpp->dirty_count = 0;
    return true;
}

// MARK: Stanzas

/// The size of the first element of a stream: 0 when it is not whole yet. Only stanzas that hold no element of their
/// own name come here.
static size_t element(const char *bytes, size_t count, slice *name) {
    if (count < 2 || bytes[0] != '<') return 0;
    size_t n = 1;
    while (n < count && bytes[n] != ' ' && bytes[n] != '>' && bytes[n] != '/') n++;
    *name = (slice){bytes + 1, n - 1};
    const char *close = memchr(bytes, '>', count);
    if (!close) return 0;
    if (close[-1] == '/') return (size_t)(close - bytes) + 1;
    char end[64];
    int length = snprintf(end, sizeof end, "</%.*s>", (int)name->count, name->bytes);
    if (length < 0 || (size_t)length >= sizeof end) return 0;
    const char *found = memmem(close, count - (size_t)(close - bytes), end, (size_t)length);
    return found ? (size_t)(found - bytes) + (size_t)length : 0;
}

static bool is(slice name, const char *text) {
    return name.count == strlen(text) && memcmp(name.bytes, text, name.count) == 0;
}

static bool holds(slice stanza, const char *text) {
    return memmem(stanza.bytes, stanza.count, text, strlen(text)) != NULL;
}

static bool open_stream(cbench_xmpp *xmpp, client *client) {
    return say(
        xmpp, client,
        "<?xml version='1.0'?><stream:stream to='%s' xmlns='jabber:client' "
        "xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>",
        xmpp->domain);
}

/// RFC 6120 sections 4, 6 and 7, XEP-0045 section 7.2.
static bool enter(cbench_xmpp *xmpp, client *client, slice name, slice stanza) {
    switch (client->state) {
    case STREAM:
        if (!is(name, "stream:features")) break;
        if (!holds(stanza, "ANONYMOUS")) return fault(xmpp, "the server has no SASL ANONYMOUS");
        client->state = SUCCESS;
        return say(
            xmpp, client, "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='ANONYMOUS'/>");
    case SUCCESS:
        if (is(name, "failure")) return fault(xmpp, "%.*s", (int)stanza.count, stanza.bytes);
        if (!is(name, "success")) break;
        client->state = SECOND_STREAM;
        return open_stream(xmpp, client);
    case SECOND_STREAM:
        if (!is(name, "stream:features")) break;
        client->state = BOUND_RESOURCE;
        return say(
            xmpp, client, "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>");
    case BOUND_RESOURCE:
        if (!is(name, "iq")) break;
        if (!holds(stanza, "<jid>")) return fault(xmpp, "no resource: %.*s", (int)stanza.count, stanza.bytes);
        client->state = OWN_PRESENCE;
        return say(
            xmpp, client,
            "<presence to='%s/u%u'><x xmlns='http://jabber.org/protocol/muc'><history maxstanzas='0'/></x></presence>",
            xmpp->room, client->index);
    case OWN_PRESENCE:
        if (!is(name, "presence")) break;
        if (holds(stanza, "type='error'") || holds(stanza, "type=\"error\""))
            return fault(xmpp, "client %u gets %.*s", client->index, (int)stanza.count, stanza.bytes);
        if (!holds(stanza, "code='110'") && !holds(stanza, "code=\"110\"")) break;
        client->state = IN_ROOM;
        xmpp->present++;
        xmpp->progress++;
        break;
    default: break;
    }
    return true;
}

static bool message_arrived(cbench_xmpp *xmpp, client *client, slice stanza) {
    if (holds(stanza, "type='error'") || holds(stanza, "type=\"error\""))
        return fault(xmpp, "client %u gets %.*s", client->index, (int)stanza.count, stanza.bytes);
    static const char open[] = "<body>", end[] = "</body>";
    const char *body = memmem(stanza.bytes, stanza.count, open, sizeof open - 1);
    // The room's subject has none.
    if (!body) return true;
    body += sizeof open - 1;
    const char *limit = memmem(body, stanza.count - (size_t)(body - stanza.bytes), end, sizeof end - 1);
    uint64_t sender, number;
    char expected[text_size];
    if (!limit || limit - body != text_size || !text_parse(body, &sender, &number) || sender != 0)
        return fault(xmpp, "client %u got a message that nobody sent", client->index);
    if (number != client->next)
        return fault(
            xmpp, "client %u got message %llu instead of %llu", client->index, (unsigned long long)number,
            (unsigned long long)client->next);
    text_put(expected, 0, number);
    if (memcmp(expected, body, text_size) != 0) return fault(xmpp, "client %u got a damaged message", client->index);
    client->next++;
    xmpp->deliveries++;
    xmpp->progress++;
    latency_note(&xmpp->latencies, now_seconds() - xmpp->started_at[number % most_window]);
    if (--xmpp->missing[number % most_window] == 0) xmpp->completed++;
    return true;
}

static bool readable(cbench_xmpp *xmpp, client *client) {
    if (link_read(&client->link) == LINK_CLOSED)
        return fault(xmpp, "the connection of client %u was closed", client->index);
    buffer *in = &client->link.input;
    for (;;) {
        const char *bytes = in->bytes + in->start;
        size_t count = buffer_count(in), skip = 0;
        if (client->state == STREAM || client->state == SECOND_STREAM) {
            // Up to the features: the stream's own head is never closed while it lives.
            const char *features = memmem(bytes, count, "<stream:features", 16);
            if (!features) {
                if (memmem(bytes, count, "<stream:error", 13)) return fault(xmpp, "%.*s", (int)count, bytes);
                return true;
            }
            skip = (size_t)(features - bytes);
        }
        while (skip < count && (bytes[skip] == ' ' || bytes[skip] == '\n')) skip++;
        if (skip == count) {
            buffer_consume(in, skip);
            return true;
        }
        slice name;
        size_t size = element(bytes + skip, count - skip, &name);
        if (!size) return count < longest_stanza || fault(xmpp, "client %u got an endless stanza", client->index);
        slice stanza = {bytes + skip, size};
        bool well = client->state == IN_ROOM ? !is(name, "message") || message_arrived(xmpp, client, stanza)
                                             : enter(xmpp, client, name, stanza);
        if (!well) return false;
        buffer_consume(in, skip + size);
    }
}

static bool turn(cbench_xmpp *xmpp, int milliseconds) {
    struct epoll_event events[xmpp_events];
    int count = epoll_wait(xmpp->poll, events, xmpp_events, milliseconds);
    if (count < 0 && errno != EINTR) return fault(xmpp, "epoll: %s", strerror(errno));
    for (int i = 0; i < count; i++) {
        client *client = events[i].data.ptr;
        if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR) && !readable(xmpp, client)) return false;
        if (events[i].events & EPOLLOUT) mark_client(xmpp, client);
    }
    return true;
}

// MARK: Phases

static bool stuck(cbench_xmpp *xmpp, uint64_t *seen, double *since) {
    double now = now_seconds();
    if (xmpp->progress != *seen) {
        *seen = xmpp->progress;
        *since = now;
    }
    return now - *since > patience;
}

static bool start(cbench_xmpp *xmpp, client *client) {
    int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
    if (descriptor < 0) return fault(xmpp, "no socket: %s", strerror(errno));
    client->link.descriptor = descriptor;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(xmpp->options.port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(descriptor, (struct sockaddr *)&address, sizeof address) < 0)
        return fault(xmpp, "connecting to port %u: %s", xmpp->options.port, strerror(errno));
    setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    fcntl(descriptor, F_SETFL, O_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
    epoll_ctl(xmpp->poll, EPOLL_CTL_ADD, descriptor, &event);
    client->state = STREAM;
    return open_stream(xmpp, client);
}

bool cbench_xmpp_join(cbench_xmpp *xmpp, unsigned concurrency) {
    double since = now_seconds();
    uint64_t seen = xmpp->progress;
    unsigned next = 0, total = xmpp->options.members;
    while (xmpp->present < total) {
        // The first one makes the room.
        while (next < total && next - xmpp->present < (xmpp->present ? concurrency : 1))
            if (!start(xmpp, &xmpp->clients[next++])) return false;
        if (!flush(xmpp) || !turn(xmpp, 100) || !flush(xmpp)) return false;
        if (stuck(xmpp, &seen, &since)) return fault(xmpp, "only %u of %u came in", xmpp->present, total);
    }
    return true;
}

bool cbench_xmpp_idle(cbench_xmpp *xmpp, double seconds) {
    double end = now_seconds() + seconds;
    while (now_seconds() < end)
        if (!flush(xmpp) || !turn(xmpp, 20)) return false;
    return true;
}

bool cbench_xmpp_exchange(
    cbench_xmpp *xmpp, unsigned window, double seconds, uint64_t most_messages, cbench_exchange_result *result) {
    if (window == 0 || window > most_window) return fault(xmpp, "window %u", window);
    if (!latency_start(&xmpp->latencies)) return fault(xmpp, "no memory");
    double started = now_seconds(), since = started, now = started;
    uint64_t seen = xmpp->progress, before = xmpp->deliveries, messages = 0;
    for (;;) {
        while (xmpp->started - xmpp->completed < window && messages < most_messages && now - started < seconds) {
            uint64_t number = xmpp->started++;
            char text[text_size];
            text_put(text, 0, number);
            xmpp->missing[number % most_window] = xmpp->options.members;
            xmpp->started_at[number % most_window] = now;
            if (!say(
                    xmpp, &xmpp->clients[0], "<message to='%s' type='groupchat' id='m%llx'><body>%.*s</body></message>",
                    xmpp->room, (unsigned long long)number, text_size, text))
                return false;
            messages++;
        }
        if (xmpp->started == xmpp->completed) break;
        if (!flush(xmpp) || !turn(xmpp, 1000)) return false;
        now = now_seconds();
        if (stuck(xmpp, &seen, &since))
            return fault(xmpp, "%llu messages did not arrive", (unsigned long long)(xmpp->started - xmpp->completed));
    }
    result->seconds = now_seconds() - started;
    result->messages = messages;
    result->deliveries = xmpp->deliveries - before;
    result->median_latency = latency_quantile(&xmpp->latencies, 0.5);
    result->p99_latency = latency_quantile(&xmpp->latencies, 0.99);
    result->longest_latency = xmpp->latencies.longest * 1000;
    return true;
}
