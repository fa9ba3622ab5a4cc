#define _GNU_SOURCE
#include "group.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <gnutls/crypto.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { most_events = 1024, most_binding = 128 };
/// Without any progress for so long, a phase has failed.
static const double patience = 20;

double now_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

bool fail(cbench_group *group, const char *format, ...) {
    if (!group->failed) {
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(group->error, sizeof group->error, format, arguments);
        va_end(arguments);
    }
    group->failed = true;
    return false;
}

uint64_t cbench_raise_descriptor_limit(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0) return 0;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    return getrlimit(RLIMIT_NOFILE, &limit) < 0 ? 0 : limit.rlim_cur;
}

const char *cbench_group_error(const cbench_group *group) { return group->error; }

cbench_group *cbench_group_create(const cbench_options *options, char *error, size_t error_size) {
    cbench_group *group = calloc(1, sizeof *group);
    if (!group) return NULL;
    group->options = *options;
    group->udp = -1;
    group->poll = epoll_create1(EPOLL_CLOEXEC);
    snprintf(group->domain, sizeof group->domain, "%s", options->domain);
    snprintf(group->room_prefix, sizeof group->room_prefix, "%s", options->room_prefix);
    snprintf(group->sip_host, sizeof group->sip_host, "%s", options->sip_host ? options->sip_host : "127.0.0.1");
    snprintf(group->msrp_host, sizeof group->msrp_host, "%s", options->msrp_host ? options->msrp_host : "127.0.0.1");
    uint64_t random = 0;
    gnutls_rnd(GNUTLS_RND_NONCE, &random, sizeof random);
    wire_put_hex(group->nonce, random, 16);
    group->credentials = link_credentials();
    group->participants = calloc(options->participants, sizeof *group->participants);
    group->dirty = calloc(options->participants, sizeof *group->dirty);
    bool made = group->poll >= 0 && group->credentials && group->participants && group->dirty
        && options->participants > 0 && options->per_room > 0;
    if (!made) fail(group, "no memory, or nobody to join");
    if (made && options->sip_port) made = sip_open(group);
    for (unsigned i = 0; made && i < options->participants; i++) {
        participant *participant = &group->participants[i];
        participant->link.descriptor = -1;
        participant->index = i;
        participant->room = i / options->per_room;
        if (options->sip_port) continue;
        const char *scheme = options->tls ? "msrps" : "msrp";
        snprintf(participant->local_path, longest_uri, "%s://127.0.0.1:2855/%s%u;tcp", scheme, group->nonce, i);
        snprintf(
            participant->remote_path, longest_uri, "%s://%s:%u/r%s%u;tcp", scheme, group->msrp_host,
            options->msrp_port, group->nonce, i);
        snprintf(participant->remote_host, sizeof participant->remote_host, "%s", group->msrp_host);
        participant->remote_port = options->msrp_port;
        participant->state = JOINED;
        group->joined++;
    }
    if (made) return group;
    snprintf(error, error_size, "%s", group->error);
    cbench_group_destroy(group);
    return NULL;
}

void cbench_group_destroy(cbench_group *group) {
    for (unsigned i = 0; group->participants && i < group->options.participants; i++)
        if (group->participants[i].link.descriptor > 0) link_close(&group->participants[i].link);
    if (group->udp >= 0) close(group->udp);
    if (group->poll >= 0) close(group->poll);
    if (group->credentials) gnutls_certificate_free_credentials(group->credentials);
    free(group->participants);
    free(group->dirty);
    free(group);
}

static void mark_dirty(cbench_group *group, participant *participant) {
    if (participant->dirty) return;
    participant->dirty = true;
    group->dirty[group->dirty_count++] = participant;
}

// MARK: MSRP

#define put(text) (memcpy(at, text, sizeof text - 1), at += sizeof text - 1)
#define put_slice(value) (memcpy(at, (value).bytes, (value).count), at += (value).count)

static bool answer(cbench_group *group, participant *participant, const wire_message *request) {
    slice id = request->transaction;
    buffer *out = &participant->link.output;
    char *start = buffer_reserve(out, 128 + 2 * id.count + request->from_path.count + request->to_path.count);
    if (!start) return fail(group, "no memory");
    char *at = start;
    put("MSRP ");
    put_slice(id);
    put(" 200 OK\r\nTo-Path: ");
    put_slice(request->from_path);
    put("\r\nFrom-Path: ");
    put_slice(request->to_path);
    put("\r\n-------");
    put_slice(id);
    put("$\r\n");
    out->end += (size_t)(at - start);
    mark_dirty(group, participant);
    return true;
}

/// "s0001 n000000000042 abcdef...": who, which, and a pattern that differs from message to message.
static void put_text(char *out, unsigned sender, uint64_t number) {
    out[0] = 's';
    wire_put_hex(out + 1, sender, 4);
    out[5] = ' ';
    out[6] = 'n';
    wire_put_hex(out + 7, number, 12);
    out[19] = ' ';
    unsigned phase = (unsigned)(number % 26);
    for (int i = 20; i < text_size; i++) {
        out[i] = (char)('a' + phase);
        if (++phase == 26) phase = 0;
    }
}

static bool parse_hex(const char *at, unsigned digits, uint64_t *value) {
    *value = 0;
    for (unsigned i = 0; i < digits; i++) {
        char c = at[i];
        unsigned digit = c >= '0' && c <= '9' ? (unsigned)(c - '0') : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10) : 16;
        if (digit > 15) return false;
        *value = *value << 4 | digit;
    }
    return true;
}

static bool send_text(cbench_group *group, unsigned index) {
    participant *participant = &group->participants[index];
    sender_state *sender = &group->senders[index];
    uint64_t number = sender->started++;
    char body[768], id[16];
    int head = snprintf(
        body, sizeof body - text_size,
        "From: <sip:u%u@%s>\r\nTo: <sip:%s0@%s>\r\nDateTime: 2026-11-21T00:00:00Z\r\n\r\n"
        "Content-Type: text/plain; charset=utf-8\r\n\r\n",
        index, group->domain, group->room_prefix, group->domain);
    if (head < 0 || (size_t)head >= sizeof body - text_size) return fail(group, "names are too long");
    put_text(body + head, index, number);
    wire_put_hex(id, index, 4);
    wire_put_hex(id + 4, number, 12);
    unsigned size = (unsigned)head + text_size;
    char *start = buffer_reserve(&participant->link.output, 2048);
    if (!start) return fail(group, "no memory");
    int count = snprintf(
        start, 2048,
        "MSRP %.16s SEND\r\nTo-Path: %s\r\nFrom-Path: %s\r\nMessage-ID: m%.16s\r\nByte-Range: 1-%u/%u\r\n"
        "Content-Type: message/cpim\r\n\r\n%.*s\r\n-------%.16s$\r\n",
        id, participant->remote_path, participant->local_path, id, size, size, (int)size, body, id);
    if (count < 0 || count >= 2048) return fail(group, "a SEND is too long");
    participant->link.output.end += (size_t)count;
    mark_dirty(group, participant);
    return true;
}

static void settle(cbench_group *group, sender_state *sender, uint64_t number) {
    group->progress++;
    if (--sender->missing[number % most_window] == 0) sender->completed++;
}

static bool text_arrived(cbench_group *group, participant *participant, const wire_message *message) {
    uint64_t index, number;
    if (message->body.count < text_size) return true;
    const char *text = message->body.bytes + message->body.count - text_size;
    // Anything else (a welcome text) is answered and not counted.
    if (text[0] != 's' || text[5] != ' ' || text[6] != 'n' || !parse_hex(text + 1, 4, &index)
        || !parse_hex(text + 7, 12, &number))
        return true;
    if (index >= group->sender_count || message->flag != '$')
        return fail(group, "participant %u got an unexpected message", participant->index);
    if (participant->next[index] != number)
        return fail(
            group, "participant %u got message %llu of sender %llu instead of %llu", participant->index,
            (unsigned long long)number, (unsigned long long)index, (unsigned long long)participant->next[index]);
    char expected[text_size];
    put_text(expected, (unsigned)index, number);
    if (memcmp(expected, text, text_size) != 0)
        return fail(group, "participant %u got a damaged message", participant->index);
    participant->next[index]++;
    group->deliveries++;
    settle(group, &group->senders[index], number);
    return true;
}

static bool response_arrived(cbench_group *group, participant *participant, const wire_message *response) {
    if (response->status != 200)
        return fail(group, "participant %u got %d", participant->index, response->status);
    if (participant->state == BINDING) {
        participant->state = BOUND;
        group->bound++;
        group->progress++;
        return true;
    }
    uint64_t index, number;
    const char *id = response->transaction.bytes;
    if (response->transaction.count != 16 || !parse_hex(id, 4, &index) || !parse_hex(id + 4, 12, &number)
        || index != participant->index || index >= group->sender_count)
        return fail(group, "participant %u got a response to nothing", participant->index);
    settle(group, &group->senders[index], number);
    return true;
}

static bool readable(cbench_group *group, participant *participant) {
    if (link_read(&participant->link) == LINK_CLOSED)
        return fail(group, "the connection of participant %u was closed", participant->index);
    if (buffer_count(&participant->link.sealed_output) > 0 || participant->state == BINDING)
        mark_dirty(group, participant);
    buffer *in = &participant->link.input;
    while (buffer_count(in) > 0) {
        wire_message message;
        wire_result result = wire_parse(in->bytes + in->start, buffer_count(in), &message);
        if (result == WIRE_MORE) break;
        if (result == WIRE_BAD) return fail(group, "participant %u got something malformed", participant->index);
        bool well = true;
        if (message.status) {
            well = response_arrived(group, participant, &message);
        } else if (message.method.count == 4 && memcmp(message.method.bytes, "SEND", 4) == 0) {
            well = answer(group, participant, &message) && text_arrived(group, participant, &message);
        }
        if (!well) return false;
        buffer_consume(in, message.size);
    }
    return true;
}

static bool start_binding(cbench_group *group, participant *participant) {
    int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
    if (descriptor < 0) return fail(group, "no socket: %s", strerror(errno));
    participant->link.descriptor = descriptor;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(participant->remote_port)};
    if (inet_pton(AF_INET, participant->remote_host, &address.sin_addr) != 1)
        return fail(group, "%s is not a numeric IPv4 address", participant->remote_host);
    if (connect(descriptor, (struct sockaddr *)&address, sizeof address) < 0)
        return fail(group, "connecting to port %u: %s", participant->remote_port, strerror(errno));
    setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    fcntl(descriptor, F_SETFL, O_NONBLOCK);
    if (group->options.tls && !link_start_tls(&participant->link, group->credentials, false))
        return fail(group, "TLS cannot start");
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = participant};
    epoll_ctl(group->poll, EPOLL_CTL_ADD, descriptor, &event);
    char *start = buffer_reserve(&participant->link.output, 2048);
    if (!start) return fail(group, "no memory");
    int count = snprintf(
        start, 2048,
        "MSRP bind%08x SEND\r\nTo-Path: %s\r\nFrom-Path: %s\r\nMessage-ID: b%08x\r\nByte-Range: 1-0/0\r\n"
        "-------bind%08x$\r\n",
        participant->index, participant->remote_path, participant->local_path, participant->index,
        participant->index);
    participant->link.output.end += (size_t)count;
    participant->state = BINDING;
    mark_dirty(group, participant);
    return true;
}

static bool flush_dirty(cbench_group *group) {
    for (unsigned i = 0; i < group->dirty_count; i++) {
        participant *participant = group->dirty[i];
        participant->dirty = false;
        if (participant->link.descriptor < 0) continue;
        bool pending = false;
        if (link_flush(&participant->link, &pending) == LINK_CLOSED)
            return fail(group, "the connection of participant %u was closed", participant->index);
        if (pending == participant->writing) continue;
        struct epoll_event event = {.events = EPOLLIN | (pending ? EPOLLOUT : 0), .data.ptr = participant};
        epoll_ctl(group->poll, EPOLL_CTL_MOD, participant->link.descriptor, &event);
        participant->writing = pending;
    }
    group->dirty_count = 0;
    return true;
}

bool pump(cbench_group *group, int milliseconds) {
    struct epoll_event events[most_events];
    int count = epoll_wait(group->poll, events, most_events, milliseconds);
    if (count < 0 && errno != EINTR) return fail(group, "epoll: %s", strerror(errno));
    for (int i = 0; i < count; i++) {
        participant *participant = events[i].data.ptr;
        bool well = true;
        if (!participant) well = sip_receive(group);
        else if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) well = readable(group, participant);
        if (participant && events[i].events & EPOLLOUT) mark_dirty(group, participant);
        if (!well) return false;
    }
    return true;
}

// MARK: Phases

/// Whether there was no progress for too long.
static bool stuck(cbench_group *group, uint64_t *seen, double *since) {
    double now = now_seconds();
    if (group->progress != *seen) {
        *seen = group->progress;
        *since = now;
    }
    return now - *since > patience;
}

double cbench_group_join(cbench_group *group, unsigned concurrency) {
    double started = now_seconds(), since = started, checked = started;
    uint64_t seen = group->progress;
    unsigned next = 0, total = group->options.participants;
    while (group->joined < total) {
        while (next < total && next - group->joined < concurrency)
            if (!sip_invite(group, &group->participants[next++])) return -1;
        if (!pump(group, 100)) return -1;
        if (now_seconds() - checked > 0.1) {
            checked = now_seconds();
            if (!sip_retransmit(group)) return -1;
        }
        if (stuck(group, &seen, &since)) {
            fail(group, "only %u of %u joined", group->joined, total);
            return -1;
        }
    }
    return now_seconds() - started;
}

double cbench_group_connect(cbench_group *group) {
    double started = now_seconds(), since = started;
    uint64_t seen = group->progress;
    unsigned next = 0, total = group->options.participants;
    while (group->bound < total) {
        while (next < total && next - group->bound < most_binding)
            if (!start_binding(group, &group->participants[next++])) return -1;
        if (!flush_dirty(group) || !pump(group, 100) || !flush_dirty(group)) return -1;
        if (stuck(group, &seen, &since)) {
            fail(group, "only %u of %u bound", group->bound, total);
            return -1;
        }
    }
    return now_seconds() - started;
}

bool cbench_group_exchange(
    cbench_group *group, unsigned senders, unsigned window, double seconds, uint64_t most_messages,
    cbench_exchange_result *result) {
    unsigned members = group->options.per_room < group->options.participants ? group->options.per_room
                                                                              : group->options.participants;
    if (senders == 0 || senders > most_senders || senders > members || window == 0 || window > most_window)
        return fail(group, "%u senders with window %u in a room of %u", senders, window, members);
    group->sender_count = senders;
    double started = now_seconds(), since = started, now = started;
    uint64_t seen = group->progress, before = group->deliveries, messages = 0, open = 0;
    do {
        open = 0;
        for (unsigned i = 0; i < senders; i++) {
            sender_state *sender = &group->senders[i];
            while (sender->started - sender->completed < window && messages < most_messages
                   && now - started < seconds) {
                sender->missing[sender->started % most_window] = members;
                if (!send_text(group, i)) return false;
                messages++;
            }
            open += sender->started - sender->completed;
        }
        if (!open) break;
        if (!flush_dirty(group) || !pump(group, 1000)) return false;
        now = now_seconds();
        if (stuck(group, &seen, &since))
            return fail(group, "%llu messages did not arrive", (unsigned long long)open);
    } while (open);
    result->seconds = now_seconds() - started;
    result->messages = messages;
    result->deliveries = group->deliveries - before;
    return flush_dirty(group);
}

bool cbench_group_idle(cbench_group *group, double seconds) {
    double end = now_seconds() + seconds;
    while (now_seconds() < end)
        if (!flush_dirty(group) || !pump(group, 20)) return false;
    return flush_dirty(group);
}

double cbench_group_leave(cbench_group *group, unsigned concurrency) {
    double started = now_seconds(), since = started, checked = started;
    uint64_t seen = group->progress;
    unsigned next = 0, total = group->options.participants;
    for (unsigned i = 0; i < total; i++) {
        participant *participant = &group->participants[i];
        participant->attempts = 0;
        if (participant->link.descriptor > 0) link_close(&participant->link);
    }
    group->dirty_count = 0;
    if (!group->options.sip_port) return now_seconds() - started;
    while (group->left < total) {
        while (next < total && next - group->left < concurrency)
            if (!sip_bye(group, &group->participants[next++])) return -1;
        if (!pump(group, 100)) return -1;
        if (now_seconds() - checked > 0.1) {
            checked = now_seconds();
            if (!sip_retransmit(group)) return -1;
        }
        if (stuck(group, &seen, &since)) {
            fail(group, "only %u of %u left", group->left, total);
            return -1;
        }
    }
    return now_seconds() - started;
}
