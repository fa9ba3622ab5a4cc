#define _GNU_SOURCE
#include "group.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

enum { picture_chunk = 65536 };

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

// MARK: Sending

static const char *content_type(const cbench_group *group) {
    return group->options.picture_size ? "image/png" : "text/plain; charset=utf-8";
}

/// The CPIM message's head. The size, or 0 when it does not fit.
static size_t put_cpim_head(cbench_group *group, const participant *sender, uint64_t number, char *out, size_t size) {
    char to[longest_uri];
    if (group->audience == CBENCH_PRIVATELY)
        snprintf(
            to, sizeof to, "u%u", (unsigned)(1 + number % (group->options.per_room - 1)) + sender->index);
    else
        snprintf(to, sizeof to, "%s%u", group->room_prefix, sender->room);
    int count = snprintf(
        out, size,
        "From: <sip:u%u@%s>\r\nTo: <sip:%s@%s>\r\nDateTime: 2026-11-21T00:00:00Z\r\n\r\nContent-Type: %s\r\n\r\n",
        sender->index, group->domain, to, group->domain, content_type(group));
    return count < 0 || (size_t)count >= size ? 0 : (size_t)count;
}

/// One SEND with the octets from `offset` on; the transaction id says who, which message, and which chunk of it.
static bool put_send(
    cbench_group *group, unsigned slot, uint64_t number, unsigned chunk, size_t offset, size_t total,
    const slice pieces[2], bool is_last) {
    participant *participant = sender_at(group, slot);
    char id[16], message_id[16];
    wire_put_hex(id, slot, 4);
    wire_put_hex(id + 4, number, 8);
    memcpy(message_id, id, 12);
    wire_put_hex(message_id + 12, 0, 4);
    wire_put_hex(id + 12, chunk, 4);
    size_t size = pieces[0].count + pieces[1].count;
    char *start = buffer_reserve(&participant->link.output, 2048 + size);
    if (!start) return fail(group, "no memory");
    // Chunks of more than 2048 octets can be interrupted (RFC 4975 section 7.1.1).
    char end[24] = "*";
    if (size <= 2048) snprintf(end, sizeof end, "%zu", offset + size);
    int count = snprintf(
        start, 2048,
        "MSRP %.16s SEND\r\nTo-Path: %s\r\nFrom-Path: %s\r\nMessage-ID: m%.16s\r\nByte-Range: %zu-%s/%zu\r\n"
        "Content-Type: message/cpim\r\n\r\n",
        id, participant->remote_path, participant->local_path, message_id, offset + 1, end, total);
    if (count < 0 || count >= 1984) return fail(group, "a SEND's head is too long");
    char *at = start + count;
    put_slice(pieces[0]);
    put_slice(pieces[1]);
    put("\r\n-------");
    memcpy(at, id, 16);
    at += 16;
    *at++ = is_last ? '$' : '+';
    put("\r\n");
    participant->link.output.end += (size_t)(at - start);
    mark_dirty(group, participant);
    return true;
}

bool msrp_send(cbench_group *group, unsigned slot, unsigned receivers, double started_at) {
    sender_state *sender = &group->senders[slot];
    uint64_t number = sender->started++;
    char head[sizeof group->picture_head + text_size];
    size_t head_size = put_cpim_head(group, sender_at(group, slot), number, head, sizeof head - text_size);
    if (!head_size) return fail(group, "names are too long");
    text_put(head + head_size, slot, number);
    sender->started_at[number % most_window] = started_at;
    head_size += text_size;
    size_t rest = group->options.picture_size > text_size ? group->options.picture_size - text_size : 0;
    size_t total = head_size + rest, offset = 0;
    unsigned chunks = 0;
    do {
        slice pieces[2] = {{head, offset ? 0 : head_size}, {NULL, 0}};
        size_t taken = offset ? offset - head_size : 0, most = picture_chunk - pieces[0].count;
        pieces[1].count = rest - taken < most ? rest - taken : most;
        pieces[1].bytes = rest ? group->picture + number % content_shifts + taken : head;
        size_t size = pieces[0].count + pieces[1].count;
        if (!put_send(group, slot, number, chunks++, offset, total, pieces, offset + size == total)) return false;
        offset += size;
    } while (offset < total);
    sender->missing[number % most_window] = receivers + chunks;
    return true;
}

// MARK: What comes

static void settle(cbench_group *group, sender_state *sender, uint64_t number) {
    group->progress++;
    if (--sender->missing[number % most_window] == 0) sender->completed++;
}

static bool is_next(cbench_group *group, participant *participant, uint64_t slot, uint64_t number) {
    if (slot >= group->sender_count || sender_at(group, (unsigned)slot)->room != participant->room)
        return fail(group, "participant %u got an unexpected message", participant->index);
    if (participant->next[slot] != number)
        return fail(
            group, "participant %u got message %llu of sender %llu instead of %llu", participant->index,
            (unsigned long long)number, (unsigned long long)slot, (unsigned long long)participant->next[slot]);
    return true;
}

static void delivered(cbench_group *group, participant *participant, uint64_t slot, uint64_t number) {
    sender_state *sender = &group->senders[slot];
    participant->next[slot] += group->audience == CBENCH_PRIVATELY ? group->options.per_room - 1 : 1;
    group->deliveries++;
    latency_note(&group->latencies, now_seconds() - sender->started_at[number % most_window]);
    settle(group, sender, number);
}

static bool text_arrived(cbench_group *group, participant *participant, const wire_message *message) {
    uint64_t slot, number;
    if (message->body.count < text_size) return true;
    const char *text = message->body.bytes + message->body.count - text_size;
    // Anything else (a welcome text, a notice) is answered and not counted.
    if (!text_parse(text, &slot, &number)) return true;
    if (!is_next(group, participant, slot, number)) return false;
    char expected[text_size];
    text_put(expected, (unsigned)slot, number);
    if (message->flag != '$' || memcmp(expected, text, text_size) != 0)
        return fail(group, "participant %u got a damaged message", participant->index);
    delivered(group, participant, slot, number);
    return true;
}

/// Whether `count` octets of picture `number`, from `offset` on in the whole message, are those that were sent.
static bool is_picture(cbench_group *group, uint64_t number, uint64_t offset, const char *bytes, size_t count) {
    char head[sizeof group->picture_head + text_size];
    size_t head_size = group->picture_head_size + text_size;
    memcpy(head, group->picture_head, group->picture_head_size);
    text_put(head + group->picture_head_size, 0, number);
    uint64_t total = group->picture_head_size + group->options.picture_size;
    if (offset + count > total) return false;
    if (offset < head_size) {
        size_t part = head_size - offset < count ? (size_t)(head_size - offset) : count;
        if (memcmp(head + offset, bytes, part) != 0) return false;
        offset += part;
        bytes += part;
        count -= part;
    }
    return !count || memcmp(group->picture + number % content_shifts + (offset - head_size), bytes, count) == 0;
}

static bool picture_arrived(cbench_group *group, participant *participant, const wire_message *message) {
    uint64_t first = 0, slot, number = participant->next[0];
    for (size_t i = 0; i < message->byte_range.count && message->byte_range.bytes[i] != '-' && i < 12; i++)
        first = first * 10 + (uint64_t)(message->byte_range.bytes[i] - '0');
    size_t head = group->picture_head_size;
    if (first <= 1) {
        if (message->body.count < head + text_size || !text_parse(message->body.bytes + head, &slot, &number))
            return true;
        if (!is_next(group, participant, slot, number)) return false;
        participant->picture_offset = 0;
    }
    if (first != participant->picture_offset + 1 || message->flag == '#'
        || !is_picture(group, number, participant->picture_offset, message->body.bytes, message->body.count))
        return fail(group, "participant %u got a damaged picture", participant->index);
    participant->picture_offset += message->body.count;
    group->progress++;
    if (message->flag != '$') return true;
    if (participant->picture_offset != head + group->options.picture_size)
        return fail(group, "participant %u got a part of a picture only", participant->index);
    delivered(group, participant, 0, number);
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
    uint64_t slot, number;
    const char *id = response->transaction.bytes;
    if (response->transaction.count != 16 || !text_parse_hex(id, 4, &slot) || !text_parse_hex(id + 4, 8, &number)
        || slot >= group->sender_count || sender_at(group, (unsigned)slot) != participant)
        return fail(group, "participant %u got a response to nothing", participant->index);
    settle(group, &group->senders[slot], number);
    return true;
}

bool msrp_readable(cbench_group *group, participant *participant) {
    if (link_read(&participant->link) == LINK_CLOSED)
        return fail(group, "the connection of participant %u was closed", participant->index);
    if (buffer_count(&participant->link.sealed_output) > 0 || participant->state == BINDING)
        mark_dirty(group, participant);
    buffer *in = &participant->link.input;
    while (buffer_count(in) > 0) {
        wire_message message;
        wire_result result =
            wire_parse_on(in->bytes + in->start, buffer_count(in), &message, &participant->scanned);
        if (result == WIRE_MORE) break;
        if (result == WIRE_BAD) return fail(group, "participant %u got something malformed", participant->index);
        bool well = true;
        if (message.status) {
            well = response_arrived(group, participant, &message);
        } else if (message.method.count == 4 && memcmp(message.method.bytes, "SEND", 4) == 0) {
            well = answer(group, participant, &message)
                && (group->options.picture_size ? picture_arrived : text_arrived)(group, participant, &message);
        }
        if (!well) return false;
        buffer_consume(in, message.size);
    }
    return true;
}

// MARK: Binding

bool msrp_bind(cbench_group *group, participant *participant) {
    int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
    if (descriptor < 0) return fail(group, "no socket: %s", strerror(errno));
    participant->link.descriptor = descriptor;
    int little = 16384;
    if (participant->stalled) setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &little, sizeof little);
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
