#define _GNU_SOURCE
#include "relay.h"

#include <stdio.h>
#include <string.h>

enum {
    /// A peer has at most so much ready for its socket, and one SEND's frame.
    output_limit = 256 * 1024,
    frame_size = 512 + 2 * longest_path,
    /// Contents that look like the beginning of the end-line by chance are not longer than this.
    lookalike_size = 8,
};

static const char *contents(const cbench_relay *relay, uint64_t position) {
    return (relay->plan.sends_per_message == 1 && relay->plan.size <= 2048 ? relay->texts : relay->binary)
        + position % pattern_size;
}

static uint64_t least(uint64_t a, uint64_t b) { return a < b ? a : b; }

/// SENDs of the plan that are over: they arrived, and what was to come back did.
static uint64_t completed(const cbench_relay *relay, const relay_session *session) {
    const cbench_relay_plan *plan = &relay->plan;
    uint64_t count = (session->received - session->first_octet) / plan->size;
    if (plan->reports != CBENCH_REPORTS_NONE) count = least(count, session->answered - session->first_send);
    if (plan->reports == CBENCH_REPORTS_SUCCESS) count = least(count, session->reported / plan->size);
    // The last end-line is still missing where only its octets are there.
    uint64_t messages = session->last_ends;
    return count == (messages + 1) * plan->sends_per_message ? count - 1 : count;
}

static uint64_t under_way(const cbench_relay *relay, const relay_session *session) {
    return session->started - session->first_send - completed(relay, session);
}

// MARK: Peers

#define put(text) (memcpy(at, text, sizeof text - 1), at += sizeof text - 1)
#define put_bytes(bytes, count) (memcpy(at, bytes, count), at += (count))

/// The head of the next SEND. Chunks of more than 2,048 octets can be interrupted, so that their range has no end
/// (RFC 4975 section 7.1.1).
static bool start_send(cbench_relay *relay, relay_session *session) {
    const cbench_relay_plan *plan = &relay->plan;
    char *start = buffer_reserve(&session->peer.link.output, frame_size), *at = start;
    if (!start) return relay_fail(relay, "no memory");
    uint64_t number = session->started++, within = (number - session->first_send) % plan->sends_per_message;
    put("MSRP ");
    wire_put_hex(at, session->index, 4);
    wire_put_hex(at + 4, number, 12);
    at += id_digits;
    put_bytes(session->head, session->head_size);
    put("Message-ID: m");
    wire_put_hex(at, number - within, 12);
    at += 12;
    put("\r\nByte-Range: ");
    at += wire_put_number(at, within * plan->size + 1);
    *at++ = '-';
    if (plan->size > 2048) *at++ = '*';
    else at += wire_put_number(at, (within + 1) * plan->size);
    *at++ = '/';
    at += wire_put_number(at, plan->sends_per_message * plan->size);
    if (plan->reports == CBENCH_REPORTS_NONE) put("\r\nFailure-Report: no");
    if (plan->reports == CBENCH_REPORTS_SUCCESS) put("\r\nSuccess-Report: yes\r\nFailure-Report: yes");
    if (plan->sends_per_message == 1 && plan->size <= 2048) put("\r\nContent-Type: text/plain\r\n\r\n");
    else put("\r\nContent-Type: application/octet-stream\r\n\r\n");
    session->peer.link.output.end += (size_t)(at - start);
    session->open_octets = plan->size;
    return true;
}

static bool end_send(cbench_relay *relay, relay_session *session) {
    char *start = buffer_reserve(&session->peer.link.output, 64), *at = start;
    if (!start) return relay_fail(relay, "no memory");
    uint64_t number = session->started - 1;
    put("\r\n-------");
    wire_put_hex(at, session->index, 4);
    wire_put_hex(at + 4, number, 12);
    at += id_digits;
    bool last = (session->started - session->first_send) % relay->plan.sends_per_message == 0;
    *at++ = last ? '$' : '+';
    put("\r\n");
    session->peer.link.output.end += (size_t)(at - start);
    return true;
}

bool relay_feed(cbench_relay *relay, relay_session *session) {
    const cbench_relay_plan *plan = &relay->plan;
    buffer *output = &session->peer.link.output;
    bool sealed = session->peer.link.session && buffer_count(&session->peer.link.sealed_output) >= output_limit;
    while (plan->size && !sealed && buffer_count(output) < output_limit) {
        if (!session->open_octets) {
            bool over = session->started - session->first_send >= plan->most_sends
                || (plan->seconds > 0 && now_seconds() - relay->plan_started >= plan->seconds);
            // A message that began is always ended.
            if (over && (session->started - session->first_send) % plan->sends_per_message == 0) break;
            if (under_way(relay, session) >= plan->window) break;
            if (!start_send(relay, session)) return false;
        }
        uint64_t step = least(session->open_octets, largest_step);
        if (!buffer_append(output, contents(relay, session->queued), step)) return relay_fail(relay, "no memory");
        session->queued += step;
        session->open_octets -= step;
        if (!session->open_octets && !end_send(relay, session)) return false;
    }
    return true;
}

static bool parse_number(slice text, uint64_t *value, size_t *used) {
    size_t i = 0;
    for (*value = 0; i < text.count && i < 18 && text.bytes[i] >= '0' && text.bytes[i] <= '9'; i++)
        *value = *value * 10 + (uint64_t)(text.bytes[i] - '0');
    *used = i;
    return i > 0;
}

static bool peer_message(cbench_relay *relay, relay_session *session, const wire_message *message) {
    if (message->status) {
        if (message->status != 200)
            return relay_fail(relay, "session %u's peer got %d", session->index, message->status);
        if (session->state == BINDING_PEER) {
            session->state = BOUND_PEER;
            session->started = session->answered = 0;
            relay_session_advanced(relay, session);
            return true;
        }
        if (++session->answered > session->started)
            return relay_fail(relay, "session %u's peer got more answers than it sent", session->index);
        return true;
    }
    if (message->method.count != 6 || memcmp(message->method.bytes, "REPORT", 6) != 0) return true;
    slice status, range = message->byte_range;
    uint64_t first, last;
    size_t used;
    if (!wire_last_header(message, "Status", &status) || status.count < 7 || memcmp(status.bytes, "000 200", 7) != 0)
        return relay_fail(
            relay, "session %u's peer got a report of %.*s", session->index, (int)status.count, status.bytes);
    if (!parse_number(range, &first, &used) || used == range.count || range.bytes[used] != '-'
        || !parse_number((slice){range.bytes + used + 1, range.count - used - 1}, &last, &used) || last + 1 < first)
        return relay_fail(relay, "session %u's peer got a report without octets", session->index);
    session->reported += last + 1 - first;
    return true;
}

// MARK: Clients

static bool answer(cbench_relay *relay, relay_end *end, slice id, slice from_path) {
    const char *space = memchr(from_path.bytes, ' ', from_path.count), *uri = end->session->client_uri;
    size_t first = space ? (size_t)(space - from_path.bytes) : from_path.count, own = strlen(uri);
    char *start = buffer_reserve(&end->link.output, 128 + 2 * id.count + first + own), *at = start;
    if (!start) return relay_fail(relay, "no memory");
    put("MSRP ");
    put_bytes(id.bytes, id.count);
    put(" 200 OK\r\nTo-Path: ");
    put_bytes(from_path.bytes, first);
    put("\r\nFrom-Path: ");
    put_bytes(uri, own);
    put("\r\n-------");
    put_bytes(id.bytes, id.count);
    put("$\r\n");
    end->link.output.end += (size_t)(at - start);
    relay_mark_dirty(relay, end);
    return true;
}

static bool report(cbench_relay *relay, relay_end *end) {
    char *start = buffer_reserve(&end->link.output, frame_size + longest_path);
    if (!start) return relay_fail(relay, "no memory");
    // An id of its own, though only the SEND's is at hand.
    int count = snprintf(
        start, frame_size + longest_path,
        "MSRP r%.*s REPORT\r\nTo-Path: %.*s\r\nFrom-Path: %s\r\nMessage-ID: %.*s\r\nByte-Range: %llu-%llu/%llu\r\n"
        "Status: 000 200 OK\r\n-------r%.*s$\r\n",
        (int)least(end->id_size, 30), end->id, (int)end->from_path_size, end->from_path, end->session->client_uri,
        (int)end->message_id_size, end->message_id, (unsigned long long)end->range_start,
        (unsigned long long)(end->range_start + end->body_octets - 1),
        (unsigned long long)(relay->plan.size * relay->plan.sends_per_message), (int)least(end->id_size, 30), end->id);
    if (count < 0 || count >= frame_size + longest_path) return relay_fail(relay, "a REPORT is too long");
    end->link.output.end += (size_t)count;
    relay_mark_dirty(relay, end);
    return true;
}

static bool send_began(cbench_relay *relay, relay_end *end, const wire_message *message) {
    relay_session *session = end->session;
    uint64_t whole = relay->plan.size * relay->plan.sends_per_message, start = 0;
    size_t used;
    if (!whole) return relay_fail(relay, "session %u's client got contents that nobody sent", session->index);
    uint64_t expected = (session->received - session->first_octet) % whole + 1;
    if (!parse_number(message->byte_range, &start, &used) || start != expected)
        return relay_fail(
            relay, "session %u's client got octet %llu instead of %llu", session->index, (unsigned long long)start,
            (unsigned long long)expected);
    if (message->from_path.count >= longest_path || message->message_id.count >= longest_id)
        return relay_fail(relay, "a path or a Message-ID is too long");
    end->in_body = true;
    end->wants_answer = message->failure_report.count != 2;
    end->wants_report = message->success_report.count == 3;
    end->range_start = start;
    end->body_octets = 0;
    memcpy(end->id, message->transaction.bytes, end->id_size = message->transaction.count);
    memcpy(end->message_id, message->message_id.bytes, end->message_id_size = message->message_id.count);
    memcpy(end->from_path, message->from_path.bytes, end->from_path_size = message->from_path.count);
    return true;
}

static bool send_ended(cbench_relay *relay, relay_end *end, char flag) {
    relay_session *session = end->session;
    end->in_body = false;
    if (flag == '$') session->last_ends++;
    else if (flag == '+') session->other_ends++;
    else return relay_fail(relay, "session %u's client got an end-line with %c", session->index, flag);
    uint64_t whole = relay->plan.size * relay->plan.sends_per_message;
    bool at_end = (session->received - session->first_octet) % whole == 0 && end->body_octets > 0;
    if (at_end != (flag == '$')) return relay_fail(relay, "session %u's client got a wrong %c", session->index, flag);
    if (end->wants_answer
        && !answer(relay, end, (slice){end->id, end->id_size}, (slice){end->from_path, end->from_path_size}))
        return false;
    return !end->wants_report || !end->body_octets || report(relay, end);
}

typedef enum { BODY_MORE, BODY_GOES_ON, BODY_ENDED, BODY_BAD } body_result;

/// Compares what there is of the body with what must come; where it differs, the end-line has to be.
static body_result take_body(cbench_relay *relay, relay_end *end) {
    buffer *in = &end->link.input;
    const char *bytes = in->bytes + in->start, *limit = bytes + buffer_count(in);
    const char *expected = contents(relay, end->session->received);
    size_t count = least(buffer_count(in), largest_step), same = 0;
    if (memcmp(bytes, expected, count) == 0) same = count;
    while (same + 64 <= count && memcmp(bytes + same, expected + same, 64) == 0) same += 64;
    while (same < count && bytes[same] == expected[same]) same++;
    size_t taken = same > lookalike_size ? same - lookalike_size : 0;
    bool waits = same == count;
    for (size_t at = taken; !waits && at <= same; at++) {
        size_t have = (size_t)(limit - bytes) - at;
        if (memcmp(bytes + at, "\r\n", have < 2 ? have : 2) != 0) continue;
        int found = have <= 2 ? -1 : wire_end_line_at(bytes + at + 2, limit, (slice){end->id, end->id_size});
        if (found < 0) waits = true;
        if (found <= 0) continue;
        char flag = bytes[at + 2 + 7 + end->id_size];
        end->session->received += at;
        end->body_octets += at;
        buffer_consume(in, at + 2 + 7 + end->id_size + 3);
        return send_ended(relay, end, flag) ? BODY_ENDED : BODY_BAD;
    }
    if (!waits) {
        relay_fail(
            relay, "session %u's client got a damaged octet after %llu", end->session->index,
            (unsigned long long)(end->session->received + same));
        return BODY_BAD;
    }
    end->session->received += taken;
    end->body_octets += taken;
    buffer_consume(in, taken);
    return taken ? BODY_GOES_ON : BODY_MORE;
}

static bool client_message(cbench_relay *relay, relay_end *end, const wire_message *message) {
    if (message->status) return relay_auth_answered(relay, end->session, message);
    if (message->method.count != 4 || memcmp(message->method.bytes, "SEND", 4) != 0)
        return relay_fail(
            relay, "session %u's client got %.*s", end->session->index, (int)message->method.count,
            message->method.bytes);
    if (message->has_body) return send_began(relay, end, message);
    return message->failure_report.count == 2 || answer(relay, end, message->transaction, message->from_path);
}

bool relay_input(cbench_relay *relay, relay_end *end) {
    buffer *in = &end->link.input;
    while (buffer_count(in) > 0) {
        if (end->in_body) {
            body_result result = take_body(relay, end);
            if (result == BODY_BAD) return false;
            if (result == BODY_MORE) break;
            continue;
        }
        wire_message message;
        wire_result result = (end->is_client ? wire_parse_head : wire_parse)(
            in->bytes + in->start, buffer_count(in), &message);
        if (result == WIRE_MORE) break;
        if (result == WIRE_BAD) return relay_fail(relay, "session %u got something malformed", end->session->index);
        size_t size = message.size;
        if (!(end->is_client ? client_message(relay, end, &message) : peer_message(relay, end->session, &message)))
            return false;
        // The connection may be another one by now, with nothing in it.
        if (buffer_count(in) >= size) buffer_consume(in, size);
    }
    relay->progress++;
    if (relay->plan.size && end->session->state == BOUND_PEER) relay_mark_dirty(relay, &end->session->peer);
    return true;
}

// MARK: Plans

bool cbench_relay_start(cbench_relay *relay, const cbench_relay_plan *plan) {
    if (!plan->size || !plan->sends_per_message || !plan->window || !plan->most_sends
        || (plan->seconds > 0 && plan->sends_per_message > 1 << 20))
        return relay_fail(relay, "the plan has nothing to send");
    relay->plan = *plan;
    relay->plan_started = now_seconds();
    for (unsigned i = 0; i < relay->options.sessions; i++) {
        relay_session *session = &relay->sessions[i];
        if (session->state != BOUND_PEER) return relay_fail(relay, "session %u is not bound", i);
        session->first_send = session->started;
        session->answered = session->started;
        session->first_octet = session->received;
        session->reported = session->last_ends = session->other_ends = 0;
        relay_mark_dirty(relay, &session->peer);
    }
    return true;
}

static bool session_complete(const cbench_relay *relay, const relay_session *session) {
    const cbench_relay_plan *plan = &relay->plan;
    uint64_t started = session->started - session->first_send;
    bool over = started >= plan->most_sends
        || (plan->seconds > 0 && now_seconds() - relay->plan_started >= plan->seconds);
    return over && started % plan->sends_per_message == 0 && !session->open_octets
        && session->last_ends == started / plan->sends_per_message && under_way(relay, session) == 0;
}

cbench_relay_status cbench_relay_run(cbench_relay *relay, int milliseconds, cbench_relay_result *result) {
    double began = now_seconds(), since = began;
    uint64_t seen = relay->progress;
    unsigned complete = 0;
    while (!relay->failed) {
        while (complete < relay->options.sessions && session_complete(relay, &relay->sessions[complete])) complete++;
        if (complete == relay->options.sessions) break;
        double left = milliseconds < 0 ? 1 : milliseconds * 1e-3 - (now_seconds() - began);
        if (left <= 0) return CBENCH_RELAY_GOES_ON;
        if (!relay_pump(relay, left < 1 ? (int)(left * 1000) + 1 : 1000)) return CBENCH_RELAY_FAILED;
        if (milliseconds < 0 && relay_stuck(relay, &seen, &since)) relay_fail(relay, "what was sent did not arrive");
    }
    if (relay->failed) return CBENCH_RELAY_FAILED;
    memset(result, 0, sizeof *result);
    result->seconds = now_seconds() - relay->plan_started;
    for (unsigned i = 0; i < relay->options.sessions; i++) {
        const relay_session *session = &relay->sessions[i];
        uint64_t sends = session->started - session->first_send, messages = sends / relay->plan.sends_per_message;
        result->sends += sends;
        result->octets += session->received - session->first_octet;
        result->cuts += session->other_ends - (sends - messages);
    }
    return CBENCH_RELAY_COMPLETE;
}
