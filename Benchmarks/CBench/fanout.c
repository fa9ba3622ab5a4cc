#define _GNU_SOURCE
#include "CBench.h"
#include "link.h"
#include "wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { id_size = 16, most_events = 1024, answer_seconds = 30, most_rooms = 64 };

/// A SEND that a member has not answered yet.
typedef struct {
    char id[id_size];
    time_t deadline;
} outstanding;

typedef struct member {
    link_t link;
    /// The first byte has told TLS from plain.
    bool detected;
    bool bound;
    bool dirty;
    bool writing;
    bool leaving;
    /// Index among `members`, and among those of its room.
    size_t index, place;
    unsigned room;
    /// " SEND\r\nTo-Path: ...\r\nFrom-Path: ...\r\n"
    char *head;
    size_t head_size;
    /// FIFO; capacity is a power of two.
    outstanding *ring;
    size_t ring_head, ring_tail, ring_capacity;
} member;

typedef struct {
    member **members;
    size_t count, capacity;
} audience;

typedef struct {
    int poll;
    gnutls_certificate_credentials_t credentials;
    member **members;
    size_t count;
    /// Those that are bound, by room.
    audience audiences[most_rooms];
    member **dirty;
    size_t dirty_count;
    member **leaving;
    size_t leaving_count, list_capacity;
    uint64_t next_id;
    time_t now;
    buffer tail;
} room;

static void mark_dirty(room *room, member *member) {
    if (member->dirty || member->leaving) return;
    member->dirty = true;
    room->dirty[room->dirty_count++] = member;
}

static void mark_leaving(room *room, member *member) {
    if (member->leaving) return;
    member->leaving = true;
    room->leaving[room->leaving_count++] = member;
}

static bool remember(room *room, member *member, const char *id) {
    size_t count = member->ring_tail - member->ring_head;
    if (count == member->ring_capacity) {
        size_t capacity = member->ring_capacity ? member->ring_capacity * 2 : 16;
        outstanding *ring = malloc(capacity * sizeof *ring);
        if (!ring) return false;
        for (size_t i = 0; i < count; i++)
            ring[i] = member->ring[(member->ring_head + i) & (member->ring_capacity - 1)];
        free(member->ring);
        member->ring = ring;
        member->ring_capacity = capacity;
        member->ring_head = 0;
        member->ring_tail = count;
    }
    outstanding *entry = &member->ring[member->ring_tail++ & (member->ring_capacity - 1)];
    memcpy(entry->id, id, id_size);
    entry->deadline = room->now + answer_seconds;
    return true;
}

static void answer(room *room, member *member, const wire_message *request) {
    buffer *out = &member->link.output;
    slice id = request->transaction;
    char *start = buffer_reserve(out, 128 + 2 * id.count + request->from_path.count + request->to_path.count);
    if (!start) return mark_leaving(room, member);
    char *at = start;
#define put(text) (memcpy(at, text, sizeof text - 1), at += sizeof text - 1)
#define put_slice(value) (memcpy(at, (value).bytes, (value).count), at += (value).count)
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
    mark_dirty(room, member);
}

static void bind_member(room *room, member *member, const wire_message *request) {
    static const char format[] = " SEND\r\nTo-Path: %.*s\r\nFrom-Path: %.*s\r\n";
    size_t size = sizeof format + request->from_path.count + request->to_path.count;
    member->head = malloc(size);
    if (!member->head) return mark_leaving(room, member);
    member->head_size = (size_t)snprintf(
        member->head, size, format, (int)request->from_path.count, request->from_path.bytes,
        (int)request->to_path.count, request->to_path.bytes);
    // msrp://host:port/rN-...
    const char *id = memmem(request->to_path.bytes, request->to_path.count, "/r", 2);
    for (id = id ? id + 2 : NULL; id && *id >= '0' && *id <= '9'; id++)
        member->room = (member->room * 10 + (unsigned)(*id - '0')) % most_rooms;
    audience *audience = &room->audiences[member->room];
    if (audience->count == audience->capacity) {
        size_t capacity = audience->capacity ? audience->capacity * 2 : 64;
        void *larger = realloc(audience->members, capacity * sizeof *audience->members);
        if (!larger) return mark_leaving(room, member);
        audience->members = larger;
        audience->capacity = capacity;
    }
    member->place = audience->count;
    audience->members[audience->count++] = member;
    member->bound = true;
}

static void fan_out(room *room, member *sender, const wire_message *request) {
    char id[id_size];
    wire_put_hex(id, room->next_id++ * 0x9E3779B97F4A7C15u, id_size);

    buffer *tail = &room->tail;
    tail->start = tail->end = 0;
    char *start = buffer_reserve(
        tail,
        256 + request->message_id.count + request->byte_range.count + request->content_type.count
            + request->body.count);
    if (!start) return;
    char *at = start;
    put("Message-ID: ");
    put_slice(request->message_id);
    put("\r\nByte-Range: ");
    put_slice(request->byte_range);
    put("\r\nContent-Type: ");
    put_slice(request->content_type);
    put("\r\n\r\n");
    put_slice(request->body);
    put("\r\n-------");
    memcpy(at, id, id_size);
    at += id_size;
    *at++ = request->flag;
    put("\r\n");
    size_t tail_size = (size_t)(at - start);

    audience *audience = &room->audiences[sender->room];
    for (size_t i = 0; i < audience->count; i++) {
        member *receiver = audience->members[i];
        if (receiver == sender || receiver->leaving) continue;
        buffer *out = &receiver->link.output;
        char *to = buffer_reserve(out, 5 + id_size + receiver->head_size + tail_size);
        if (!to || !remember(room, receiver, id)) {
            mark_leaving(room, receiver);
            continue;
        }
        memcpy(to, "MSRP ", 5);
        memcpy(to + 5, id, id_size);
        memcpy(to + 5 + id_size, receiver->head, receiver->head_size);
        memcpy(to + 5 + id_size + receiver->head_size, start, tail_size);
        out->end += 5 + id_size + receiver->head_size + tail_size;
        mark_dirty(room, receiver);
    }
}

static void answered(room *room, member *member, const wire_message *response) {
    if (member->ring_head == member->ring_tail) return;
    outstanding *oldest = &member->ring[member->ring_head & (member->ring_capacity - 1)];
    if (response->transaction.count == id_size && memcmp(response->transaction.bytes, oldest->id, id_size) == 0
        && response->status == 200)
        member->ring_head++;
    else
        mark_leaving(room, member);
}

static void readable(room *room, member *member) {
    if (!member->detected) {
        unsigned char first;
        ssize_t n = recv(member->link.descriptor, &first, 1, MSG_PEEK);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
        if (n <= 0) return mark_leaving(room, member);
        member->detected = true;
        if (first == 0x16 && !link_start_tls(&member->link, room->credentials, true))
            return mark_leaving(room, member);
    }
    if (link_read(&member->link) == LINK_CLOSED) return mark_leaving(room, member);
    if (buffer_count(&member->link.sealed_output) > 0) mark_dirty(room, member);
    buffer *in = &member->link.input;
    while (buffer_count(in) > 0 && !member->leaving) {
        wire_message message;
        wire_result result = wire_parse(in->bytes + in->start, buffer_count(in), &message);
        if (result == WIRE_MORE) break;
        if (result == WIRE_BAD) return mark_leaving(room, member);
        if (message.status) {
            answered(room, member, &message);
        } else if (message.method.count == 4 && memcmp(message.method.bytes, "SEND", 4) == 0) {
            if (!member->bound) bind_member(room, member, &message);
            answer(room, member, &message);
            if (message.has_body) fan_out(room, member, &message);
        }
        buffer_consume(in, message.size);
    }
}

static void flush(room *room, member *member) {
    bool pending = false;
    if (link_flush(&member->link, &pending) == LINK_CLOSED) return mark_leaving(room, member);
    if (pending == member->writing) return;
    struct epoll_event event = {.events = EPOLLIN | (pending ? EPOLLOUT : 0), .data.ptr = member};
    epoll_ctl(room->poll, EPOLL_CTL_MOD, member->link.descriptor, &event);
    member->writing = pending;
}

static void leave(room *room, member *gone) {
    member *last = room->members[--room->count];
    room->members[gone->index] = last;
    last->index = gone->index;
    if (gone->bound) {
        audience *audience = &room->audiences[gone->room];
        audience->members[gone->place] = audience->members[--audience->count];
        audience->members[gone->place]->place = gone->place;
    }
    link_close(&gone->link);
    free(gone->head);
    free(gone->ring);
    free(gone);
}

static void accept_member(room *room, int listener) {
    int descriptor = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (descriptor < 0) return;
    int one = 1;
    setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (room->count == room->list_capacity) {
        size_t capacity = room->list_capacity ? room->list_capacity * 2 : 64;
        member **members = realloc(room->members, capacity * sizeof *members);
        if (members) room->members = members;
        member **dirty = realloc(room->dirty, capacity * sizeof *dirty);
        if (dirty) room->dirty = dirty;
        member **leaving = realloc(room->leaving, capacity * sizeof *leaving);
        if (leaving) room->leaving = leaving;
        if (!members || !dirty || !leaving) {
            close(descriptor);
            return;
        }
        room->list_capacity = capacity;
    }
    member *joined = calloc(1, sizeof *joined);
    if (!joined) {
        close(descriptor);
        return;
    }
    joined->link.descriptor = descriptor;
    joined->index = room->count;
    room->members[room->count++] = joined;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = joined};
    epoll_ctl(room->poll, EPOLL_CTL_ADD, descriptor, &event);
}

int cbench_fanout_serve(uint16_t port) {
    cbench_raise_descriptor_limit();
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(listener, 1024) < 0
        || getsockname(listener, (struct sockaddr *)&address, &size) < 0) {
        perror("cfanout");
        return 1;
    }
    room room = {.poll = epoll_create1(EPOLL_CLOEXEC), .credentials = link_credentials(), .next_id = 1};
    if (room.poll < 0 || !room.credentials) {
        fprintf(stderr, "cfanout: no epoll or no certificate\n");
        return 1;
    }
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL}, events[most_events];
    epoll_ctl(room.poll, EPOLL_CTL_ADD, listener, &event);
    printf("cfanout ready: port=%u\n", ntohs(address.sin_port));
    fflush(stdout);

    time_t expired = time(NULL);
    for (;;) {
        int count = epoll_wait(room.poll, events, most_events, -1);
        if (count < 0 && errno != EINTR) return 1;
        room.now = time(NULL);
        for (int i = 0; i < count; i++) {
            member *member = events[i].data.ptr;
            if (!member) {
                accept_member(&room, listener);
                continue;
            }
            if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR) && !member->leaving) readable(&room, member);
            if (events[i].events & EPOLLOUT) mark_dirty(&room, member);
        }
        for (size_t i = 0; i < room.dirty_count; i++) {
            room.dirty[i]->dirty = false;
            if (!room.dirty[i]->leaving) flush(&room, room.dirty[i]);
        }
        room.dirty_count = 0;
        if (room.now != expired) {
            expired = room.now;
            for (size_t i = 0; i < room.count; i++) {
                member *member = room.members[i];
                if (member->ring_head != member->ring_tail
                    && member->ring[member->ring_head & (member->ring_capacity - 1)].deadline < room.now)
                    mark_leaving(&room, member);
            }
        }
        for (size_t i = 0; i < room.leaving_count; i++) leave(&room, room.leaving[i]);
        room.leaving_count = 0;
    }
}
