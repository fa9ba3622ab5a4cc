#define _GNU_SOURCE
#include "group.h"

#include <errno.h>
#include <gnutls/crypto.h>
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
        participant->stalled = i + options->stalled >= options->participants;
        if (options->sip_port) continue;
        const char *scheme = options->tls ? "msrps" : "msrp";
        snprintf(participant->local_path, longest_uri, "%s://127.0.0.1:2855/%s%u;tcp", scheme, group->nonce, i);
        snprintf(
            participant->remote_path, longest_uri, "%s://%s:%u/r%u-%s%u;tcp", scheme, group->msrp_host,
            options->msrp_port, participant->room, group->nonce, i);
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
    latency_free(&group->latencies);
    free(group->participants);
    free(group->dirty);
    free(group);
}

void mark_dirty(cbench_group *group, participant *participant) {
    if (participant->dirty) return;
    participant->dirty = true;
    group->dirty[group->dirty_count++] = participant;
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

static bool take_events(cbench_group *group, struct epoll_event *events, int count) {
    if (count < 0 && errno != EINTR) return fail(group, "epoll: %s", strerror(errno));
    for (int i = 0; i < count; i++) {
        participant *participant = events[i].data.ptr;
        bool well = true;
        if (!participant) well = sip_receive(group);
        else if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
            well = (participant->stalled && group->has_exchanged) || msrp_readable(group, participant);
        if (participant && events[i].events & EPOLLOUT) mark_dirty(group, participant);
        if (!well) return false;
    }
    return true;
}

bool pump(cbench_group *group, int milliseconds) {
    struct epoll_event events[most_events];
    int count = epoll_wait(group->poll, events, most_events, milliseconds);
    return take_events(group, events, count);
}

/// The same with a wait in seconds, as exact as the kernel's.
static bool pump_until(cbench_group *group, double wait) {
    struct epoll_event events[most_events];
    if (wait < 0) wait = 0;
    struct timespec limit = {.tv_sec = (time_t)wait, .tv_nsec = (long)((wait - (double)(time_t)wait) * 1e9)};
    int count = epoll_pwait2(group->poll, events, most_events, &limit, NULL);
    return take_events(group, events, count);
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
            if (!msrp_bind(group, &group->participants[next++])) return -1;
        if (!flush_dirty(group) || !pump(group, 100) || !flush_dirty(group)) return -1;
        if (stuck(group, &seen, &since)) {
            fail(group, "only %u of %u bound", group->bound, total);
            return -1;
        }
    }
    return now_seconds() - started;
}

participant *sender_at(cbench_group *group, unsigned slot) {
    unsigned index = group->audience == CBENCH_IN_EACH_ROOM ? slot * group->options.per_room : slot;
    return &group->participants[index];
}

/// Before the first message: who sends, and which number comes first to whom.
static bool begin_exchanges(cbench_group *group, const cbench_exchange_options *options, unsigned members) {
    unsigned total = group->options.participants;
    group->audience = options->audience;
    switch (options->audience) {
    case CBENCH_TO_ROOM: group->sender_count = options->senders; break;
    case CBENCH_IN_EACH_ROOM: group->sender_count = total / members; break;
    case CBENCH_PRIVATELY:
        group->sender_count = 1;
        for (unsigned i = 1; i < members; i++) group->participants[i].next[0] = i - 1;
        break;
    }
    if (group->sender_count == 0 || group->sender_count > most_senders || members < 2
        || (options->audience == CBENCH_TO_ROOM && group->sender_count > members) || total % members != 0)
        return fail(group, "%u senders among %u in rooms of %u", group->sender_count, total, members);
    if (group->options.picture_size) {
        // The picture's CPIM head is the same in each message, since there is one sender.
        if (group->sender_count != 1 || options->audience != CBENCH_TO_ROOM)
            return fail(group, "pictures come from one participant");
        int count = snprintf(
            group->picture_head, sizeof group->picture_head,
            "From: <sip:u0@%s>\r\nTo: <sip:%s0@%s>\r\nDateTime: 2026-11-21T00:00:00Z\r\n\r\n"
            "Content-Type: image/png\r\n\r\n",
            group->domain, group->room_prefix, group->domain);
        if (count < 0 || (size_t)count >= sizeof group->picture_head) return fail(group, "names are too long");
        group->picture_head_size = (size_t)count;
        group->picture = content_octets(group->options.picture_size);
        if (!group->picture) return fail(group, "no memory");
    }
    for (unsigned i = 0; i < total; i++)
        if (group->participants[i].stalled)
            epoll_ctl(group->poll, EPOLL_CTL_DEL, group->participants[i].link.descriptor, NULL);
    group->has_exchanged = true;
    return true;
}

/// Starts what may start now; `due` is when the next one may, where there is a rate.
static bool start_messages(
    cbench_group *group, const cbench_exchange_options *options, unsigned receivers, double started, double now,
    uint64_t *messages, uint64_t *open, double *due) {
    *open = 0;
    for (unsigned i = 0; i < group->sender_count; i++) {
        sender_state *sender = &group->senders[i];
        while (sender->started - sender->completed < options->window && *messages < options->most_messages
               && now - started < options->seconds) {
            if (options->rate > 0) {
                *due = started + (double)(*messages / group->sender_count) / options->rate;
                if (*due > now) break;
            }
            if (!msrp_send(group, i, receivers, options->rate > 0 ? *due : now)) return false;
            ++*messages;
        }
        *open += sender->started - sender->completed;
    }
    return true;
}

bool cbench_group_exchange(
    cbench_group *group, const cbench_exchange_options *options, cbench_exchange_result *result) {
    unsigned members = group->options.per_room < group->options.participants ? group->options.per_room
                                                                              : group->options.participants;
    if (options->window == 0 || options->window > most_window) return fail(group, "window %u", options->window);
    if (!group->has_exchanged && !begin_exchanges(group, options, members)) return false;
    if (!latency_start(&group->latencies)) return fail(group, "no memory");
    unsigned receivers = options->audience == CBENCH_PRIVATELY ? 1 : members - 1 - group->options.stalled;
    double started = now_seconds(), since = started, now = started, due = started;
    uint64_t seen = group->progress, before = group->deliveries, messages = 0, open = 0;
    for (;;) {
        if (!start_messages(group, options, receivers, started, now, &messages, &open, &due)) return false;
        bool is_over = messages >= options->most_messages || now - started >= options->seconds;
        if (!open && is_over) break;
        double wait = options->rate > 0 && !is_over && due > now && due - now < 1 ? due - now : 1;
        if (!flush_dirty(group) || !pump_until(group, wait)) return false;
        now = now_seconds();
        if (stuck(group, &seen, &since))
            return fail(group, "%llu messages did not arrive", (unsigned long long)open);
    }
    result->seconds = now_seconds() - started;
    result->messages = messages;
    result->deliveries = group->deliveries - before;
    result->median_latency = latency_quantile(&group->latencies, 0.5);
    result->p99_latency = latency_quantile(&group->latencies, 0.99);
    result->longest_latency = group->latencies.longest * 1000;
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
    unsigned next = 0, total = group->options.participants, asked = 0, left_before = group->left;
    for (unsigned i = 0; i < total; i++) {
        participant *participant = &group->participants[i];
        participant->attempts = 0;
        if (participant->link.descriptor > 0) link_close(&participant->link);
    }
    group->dirty_count = 0;
    if (!group->options.sip_port) return now_seconds() - started;
    while (group->left < total) {
        while (next < total && asked < concurrency + (group->left - left_before)) {
            participant *participant = &group->participants[next++];
            // The server ends the calls of those who read nothing.
            if (participant->state == LEFT) continue;
            asked++;
            if (!sip_bye(group, participant)) return -1;
        }
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
