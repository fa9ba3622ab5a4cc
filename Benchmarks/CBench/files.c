#define _GNU_SOURCE
#include "CBenchFiles.h"

#include "group.h"
#include "link.h"
#include "text.h"
#include "wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <gnutls/crypto.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { file_chunk = 65536, most_output = 1 << 20, most_receivers = 64, sip_size = 65536 };
/// Without any progress for so long, a transfer has failed.
static const double patience = 20;
/// T1 of RFC 3261.
static const double retransmission = 0.5;

typedef enum { RESTING, CALLING, MOVING, HANGING_UP } transfer_state;

typedef struct {
    link_t link;
    transfer_state state;
    bool dirty, writing;
    /// The participant, and how many calls it has made for files.
    unsigned participant, round;
    bool pushes;
    double sent_at;
    char to_tag[128], contact[longest_uri], local_path[longest_uri], remote_path[longest_uri], remote_host[64];
    uint16_t remote_port;
    /// Octets that came, or went out.
    uint64_t offset;
    unsigned chunks, answers;
    size_t scanned;
} transfer;

struct cbench_files {
    cbench_files_options options;
    char domain[128], room_prefix[64], nonce[17], hash[3 * 20], error[512];
    _Atomic bool failed, stopping;
    bool is_running;
    pthread_t thread;
    int poll, udp;
    uint16_t udp_port;
    gnutls_certificate_credentials_t credentials;
    const char *content;
    transfer transfers[most_receivers];
    transfer *dirty[most_receivers];
    unsigned dirty_count;
    uint64_t progress;
    cbench_files_result result;
};

static bool fault(cbench_files *files, const char *format, ...) __attribute__((format(printf, 2, 3)));

static bool fault(cbench_files *files, const char *format, ...) {
    if (!files->failed) {
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(files->error, sizeof files->error, format, arguments);
        va_end(arguments);
    }
    files->failed = true;
    return false;
}

const char *cbench_files_error(const cbench_files *files) { return files->error; }

static bool open_socket(cbench_files *files) {
    files->udp = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_in local = {.sin_family = AF_INET}, remote = {.sin_family = AF_INET};
    local.sin_addr.s_addr = remote.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    remote.sin_port = htons(files->options.sip_port);
    socklen_t length = sizeof local;
    if (files->udp < 0 || bind(files->udp, (struct sockaddr *)&local, length) < 0
        || connect(files->udp, (struct sockaddr *)&remote, sizeof remote) < 0
        || getsockname(files->udp, (struct sockaddr *)&local, &length) < 0)
        return fault(files, "no UDP socket: %s", strerror(errno));
    files->udp_port = ntohs(local.sin_port);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    return epoll_ctl(files->poll, EPOLL_CTL_ADD, files->udp, &event) == 0 || fault(files, "no epoll");
}

cbench_files *cbench_files_create(const cbench_files_options *options, char *error, size_t error_size) {
    cbench_files *files = calloc(1, sizeof *files);
    if (!files) return NULL;
    files->options = *options;
    files->udp = -1;
    files->poll = epoll_create1(EPOLL_CLOEXEC);
    snprintf(files->domain, sizeof files->domain, "%s", options->domain);
    snprintf(files->room_prefix, sizeof files->room_prefix, "%s", options->room_prefix);
    uint64_t random = 0;
    unsigned char digest[20];
    gnutls_rnd(GNUTLS_RND_NONCE, &random, sizeof random);
    wire_put_hex(files->nonce, random, 16);
    files->credentials = link_credentials();
    files->content = content_octets(options->size);
    bool made = files->poll >= 0 && files->credentials && files->content && options->receivers > 0
        && options->receivers <= most_receivers
        && gnutls_hash_fast(GNUTLS_DIG_SHA1, files->content, options->size, digest) >= 0;
    if (!made) fault(files, "no memory, or nobody to pull");
    for (unsigned i = 0; made && i < 20; i++)
        snprintf(files->hash + 3 * i, 4 - (i == 19), i == 19 ? "%02X" : "%02X:", digest[i]);
    for (unsigned i = 0; i < most_receivers; i++) {
        files->transfers[i].link.descriptor = -1;
        files->transfers[i].participant = i + 1;
    }
    if (made && open_socket(files)) return files;
    snprintf(error, error_size, "%s", files->error);
    cbench_files_destroy(files);
    return NULL;
}

void cbench_files_destroy(cbench_files *files) {
    if (files->is_running) cbench_files_stop(files, &files->result);
    for (unsigned i = 0; i < most_receivers; i++)
        if (files->transfers[i].link.descriptor >= 0) link_close(&files->transfers[i].link);
    if (files->udp >= 0) close(files->udp);
    if (files->poll >= 0) close(files->poll);
    if (files->credentials) gnutls_certificate_free_credentials(files->credentials);
    free(files);
}

static void mark_dirty_transfer(cbench_files *files, transfer *transfer) {
    if (transfer->dirty) return;
    transfer->dirty = true;
    files->dirty[files->dirty_count++] = transfer;
}

// MARK: SIP

static bool send_sip(cbench_files *files, const char *bytes, int size) {
    if (size < 0 || size >= 8192) return fault(files, "a SIP message is too long");
    if (send(files->udp, bytes, (size_t)size, MSG_NOSIGNAL) < 0 && errno != EAGAIN && errno != ENOBUFS)
        return fault(files, "sending SIP: %s", strerror(errno));
    return true;
}

static int put_request(
    cbench_files *files, char *out, size_t size, const char *method, unsigned sequence, const char *target,
    const transfer *transfer) {
    return snprintf(
        out, size,
        "%s %s SIP/2.0\r\n"
        "Via: SIP/2.0/UDP 127.0.0.1:%u;branch=z9hG4bKf%s-%u-%u-%s;rport\r\n"
        "Max-Forwards: 70\r\n"
        "From: <sip:u%u@%s>;tag=t%u\r\n"
        "To: <sip:%s0@%s>%s%s\r\n"
        "Call-ID: %s-%u-%u@files\r\n"
        "CSeq: %u %s\r\n",
        method, target, files->udp_port, files->nonce, transfer->participant, transfer->round, method,
        transfer->participant, files->domain, transfer->round, files->room_prefix, files->domain,
        transfer->to_tag[0] ? ";tag=" : "", transfer->to_tag, files->nonce, transfer->participant, transfer->round,
        sequence, method);
}

/// RFC 5547 sections 8.2 and 8.3: a push says all of the file, a pull its hash.
static bool invite(cbench_files *files, transfer *transfer) {
    char body[2048], message[8192], target[longest_uri], selector[512];
    const char *scheme = files->options.tls ? "msrps" : "msrp";
    snprintf(
        transfer->local_path, sizeof transfer->local_path, "%s://127.0.0.1:2855/f%s%u-%u;tcp", scheme, files->nonce,
        transfer->participant, transfer->round);
    if (transfer->pushes)
        snprintf(
            selector, sizeof selector,
            "a=sendonly\r\na=file-selector:name:\"bench.bin\" type:application/octet-stream size:%llu hash:sha-1:%s\r\n",
            (unsigned long long)files->options.size, files->hash);
    else snprintf(selector, sizeof selector, "a=recvonly\r\na=file-selector:hash:sha-1:%s\r\n", files->hash);
    int body_size = snprintf(
        body, sizeof body,
        "v=0\r\no=- %u 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
        "m=message 2855 %s *\r\n"
        "a=path:%s\r\na=accept-types:*\r\na=setup:active\r\n%s"
        "a=file-transfer-id:%s%u%u\r\n",
        transfer->round, files->options.tls ? "TCP/TLS/MSRP" : "TCP/MSRP", transfer->local_path, selector, files->nonce,
        transfer->participant, transfer->round);
    snprintf(target, sizeof target, "sip:%s0@%s", files->room_prefix, files->domain);
    int size = put_request(files, message, sizeof message, "INVITE", 1, target, transfer);
    size += snprintf(
        message + size, sizeof message - (size_t)size,
        "Contact: <sip:u%u@127.0.0.1:%u>\r\nAllow: INVITE, ACK, BYE, CANCEL, OPTIONS\r\nUser-Agent: confd-bench\r\n"
        "Content-Type: application/sdp\r\nContent-Length: %d\r\n\r\n%s",
        transfer->participant, files->udp_port, body_size, body);
    transfer->state = CALLING;
    transfer->sent_at = now_seconds();
    return send_sip(files, message, size);
}

static bool call(cbench_files *files, transfer *transfer) {
    transfer->round++;
    transfer->to_tag[0] = transfer->contact[0] = 0;
    transfer->offset = 0;
    transfer->chunks = transfer->answers = 0;
    transfer->scanned = 0;
    return invite(files, transfer);
}

static bool in_dialog(cbench_files *files, transfer *transfer, const char *method, unsigned sequence) {
    char message[4096];
    int size = put_request(files, message, sizeof message, method, sequence, transfer->contact, transfer);
    size += snprintf(message + size, sizeof message - (size_t)size, "Content-Length: 0\r\n\r\n");
    return send_sip(files, message, size);
}

static bool hang_up(cbench_files *files, transfer *transfer) {
    transfer->state = HANGING_UP;
    transfer->sent_at = now_seconds();
    return in_dialog(files, transfer, "BYE", 2);
}

static bool start_media(cbench_files *files, transfer *transfer) {
    int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
    if (descriptor < 0) return fault(files, "no socket: %s", strerror(errno));
    transfer->link.descriptor = descriptor;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(transfer->remote_port)};
    if (inet_pton(AF_INET, transfer->remote_host, &address.sin_addr) != 1
        || connect(descriptor, (struct sockaddr *)&address, sizeof address) < 0)
        return fault(files, "connecting to %s:%u: %s", transfer->remote_host, transfer->remote_port, strerror(errno));
    setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    fcntl(descriptor, F_SETFL, O_NONBLOCK);
    transfer->link.ended = transfer->link.handshaken = false;
    if (files->options.tls && !link_start_tls(&transfer->link, files->credentials, false))
        return fault(files, "TLS cannot start");
    transfer->writing = true;
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data.ptr = transfer};
    epoll_ctl(files->poll, EPOLL_CTL_ADD, descriptor, &event);
    transfer->state = MOVING;
    if (!transfer->pushes) {
        char *start = buffer_reserve(&transfer->link.output, 2048);
        if (!start) return fault(files, "no memory");
        int count = snprintf(
            start, 2048,
            "MSRP bind%08x SEND\r\nTo-Path: %s\r\nFrom-Path: %s\r\nMessage-ID: b%08x\r\nByte-Range: 1-0/0\r\n"
            "-------bind%08x$\r\n",
            transfer->round, transfer->remote_path, transfer->local_path, transfer->round, transfer->round);
        transfer->link.output.end += (size_t)count;
    }
    mark_dirty_transfer(files, transfer);
    return true;
}

static bool copy_part(char *out, size_t size, const char *from, size_t count) {
    if (count >= size) return false;
    memcpy(out, from, count);
    out[count] = 0;
    return true;
}

static bool call_answered(cbench_files *files, transfer *transfer, const char *message, int status) {
    if (status >= 300) {
        size_t length;
        const char *warning = sip_field(message, "Warning", "", &length);
        return fault(
            files, "the INVITE of a %s was refused: %.*s %.*s", transfer->pushes ? "push" : "pull",
            (int)strcspn(message, "\r"), message, warning ? (int)length : 0, warning ? warning : "");
    }
    size_t length;
    const char *to = sip_field(message, "To", "t", &length), *tag = to ? strcasestr(to, ";tag=") : NULL;
    if (!tag || tag > to + length) return fault(files, "a 200 without To tag");
    const char *contact = sip_field(message, "Contact", "m", &length), *uri = contact ? strchr(contact, '<') : NULL;
    const char *uri_end = uri ? strchr(uri, '>') : NULL, *path = strstr(message, "\r\na=path:");
    if (!uri_end || uri_end > contact + length || !path) return fault(files, "a 200 without Contact or a=path");
    if (!copy_part(transfer->to_tag, sizeof transfer->to_tag, tag + 5, strcspn(tag + 5, ";, \r\n"))
        || !copy_part(transfer->contact, sizeof transfer->contact, uri + 1, (size_t)(uri_end - uri - 1))
        || !copy_part(transfer->remote_path, sizeof transfer->remote_path, path + 9, strcspn(path + 9, " \r\n")))
        return fault(files, "a 200 with overlong values");
    unsigned port;
    if (sscanf(transfer->remote_path, "msrp%*[s]://%63[^:/]:%u/", transfer->remote_host, &port) != 2
        && sscanf(transfer->remote_path, "msrp://%63[^:/]:%u/", transfer->remote_host, &port) != 2)
        return fault(files, "a path without port: %s", transfer->remote_path);
    transfer->remote_port = (uint16_t)port;
    return in_dialog(files, transfer, "ACK", 1) && start_media(files, transfer);
}

static transfer *transfer_of(cbench_files *files, const char *message, unsigned long *round) {
    size_t length;
    const char *call = sip_field(message, "Call-ID", "i", &length);
    char *end;
    if (!call || strncmp(call, files->nonce, 16) != 0 || call[16] != '-') return NULL;
    unsigned long participant = strtoul(call + 17, &end, 10);
    *round = *end == '-' ? strtoul(end + 1, NULL, 10) : 0;
    return participant >= 1 && participant <= most_receivers ? &files->transfers[participant - 1] : NULL;
}

static bool sip_arrived(cbench_files *files, const char *message) {
    unsigned long round;
    size_t length;
    transfer *transfer = transfer_of(files, message, &round);
    const char *sequence = sip_field(message, "CSeq", "", &length);
    if (!transfer || !sequence) return true;
    if (strncmp(message, "SIP/2.0 ", 8) != 0) {
        if (strncmp(message, "ACK ", 4) == 0) return true;
        char response[4096];
        int size = sip_put_ok(message, response, sizeof response);
        // The server may hang up; whether all was transferred is seen by what was read.
        return size <= 0 || send_sip(files, response, size);
    }
    int status = atoi(message + 8);
    if (status < 200 || round != transfer->round) return true;
    if (memmem(sequence, length, "INVITE", 6)) {
        if (transfer->state == CALLING) return call_answered(files, transfer, message, status);
        return transfer->to_tag[0] == 0 || in_dialog(files, transfer, "ACK", 1);
    }
    if (transfer->state == HANGING_UP) transfer->state = RESTING;
    return true;
}

static bool read_sip(cbench_files *files) {
    static _Thread_local char message[sip_size + 1];
    for (int i = 0; i < 64; i++) {
        ssize_t n = recv(files->udp, message, sip_size, 0);
        if (n < 0) {
            if (errno == EAGAIN || errno == EINTR) return true;
            return fault(files, "reading SIP: %s", strerror(errno));
        }
        message[n] = 0;
        if (!sip_arrived(files, message)) return false;
    }
    return true;
}

static bool retransmit(cbench_files *files) {
    double due = now_seconds() - retransmission;
    for (unsigned i = 0; i < most_receivers; i++) {
        transfer *transfer = &files->transfers[i];
        if (transfer->sent_at > due) continue;
        if (transfer->state == CALLING && !invite(files, transfer)) return false;
        if (transfer->state == HANGING_UP && !hang_up(files, transfer)) return false;
    }
    return true;
}

// MARK: MSRP

static bool finished(cbench_files *files, transfer *transfer) {
    files->result.transfers++;
    files->result.octets += transfer->offset;
    files->progress++;
    link_close(&transfer->link);
    return hang_up(files, transfer);
}

static bool piece_arrived(cbench_files *files, transfer *transfer, const wire_message *message) {
    slice id = message->transaction;
    buffer *out = &transfer->link.output;
    size_t most = 128 + 2 * id.count + message->from_path.count + message->to_path.count;
    char *start = buffer_reserve(out, most);
    if (!start) return fault(files, "no memory");
    int count = snprintf(
        start, most, "MSRP %.*s 200 OK\r\nTo-Path: %.*s\r\nFrom-Path: %.*s\r\n-------%.*s$\r\n", (int)id.count, id.bytes,
        (int)message->from_path.count, message->from_path.bytes, (int)message->to_path.count, message->to_path.bytes,
        (int)id.count, id.bytes);
    out->end += (size_t)count;
    mark_dirty_transfer(files, transfer);
    uint64_t first = 0, size = message->body.count;
    for (size_t i = 0; i < message->byte_range.count && message->byte_range.bytes[i] != '-' && i < 15; i++)
        first = first * 10 + (uint64_t)(message->byte_range.bytes[i] - '0');
    if (!size && message->flag != '#') return true;
    if (message->flag == '#') return fault(files, "a pull was given up by the server");
    if (first != transfer->offset + 1 || transfer->offset + size > files->options.size
        || memcmp(files->content + transfer->offset, message->body.bytes, size) != 0)
        return fault(files, "a file came damaged at octet %llu", (unsigned long long)transfer->offset);
    transfer->offset += size;
    files->progress++;
    return message->flag != '$' || transfer->offset == files->options.size || fault(files, "a file came cut");
}

static bool receive(cbench_files *files, transfer *transfer) {
    link_state state = link_read(&transfer->link);
    buffer *in = &transfer->link.input;
    if (buffer_count(&transfer->link.sealed_output) > 0) mark_dirty_transfer(files, transfer);
    while (buffer_count(in) > 0) {
        wire_message message;
        wire_result result = wire_parse_on(in->bytes + in->start, buffer_count(in), &message, &transfer->scanned);
        if (result == WIRE_MORE) break;
        if (result == WIRE_BAD) return fault(files, "something malformed came");
        bool well = true;
        if (message.status && message.status != 200) well = fault(files, "a request got %d", message.status);
        else if (message.status) transfer->answers++;
        else if (message.has_body) well = piece_arrived(files, transfer, &message);
        if (!well) return false;
        files->progress++;
        buffer_consume(in, message.size);
    }
    bool is_whole = transfer->offset == files->options.size;
    if (transfer->pushes ? is_whole && transfer->answers == transfer->chunks : is_whole) {
        bool pending;
        link_flush(&transfer->link, &pending);
        return finished(files, transfer);
    }
    return state == LINK_ALIVE || fault(files, "a file's connection was closed at octet %llu",
                                        (unsigned long long)transfer->offset);
}

/// More of the file that is pushed, while the socket takes it.
static bool push_more(cbench_files *files, transfer *transfer) {
    while (transfer->pushes && transfer->offset < files->options.size
           && buffer_count(&transfer->link.output) < most_output) {
        uint64_t left = files->options.size - transfer->offset;
        size_t size = left < file_chunk ? (size_t)left : file_chunk;
        char *start = buffer_reserve(&transfer->link.output, size + 2048);
        if (!start) return fault(files, "no memory");
        int count = snprintf(
            start, 2048,
            "MSRP push%08x SEND\r\nTo-Path: %s\r\nFrom-Path: %s\r\nMessage-ID: p%s\r\nByte-Range: %llu-*/%llu\r\n"
            "Content-Type: application/octet-stream\r\n\r\n",
            transfer->chunks, transfer->remote_path, transfer->local_path, files->nonce,
            (unsigned long long)transfer->offset + 1, (unsigned long long)files->options.size);
        memcpy(start + count, files->content + transfer->offset, size);
        count += (int)size;
        count += snprintf(
            start + count, 64, "\r\n-------push%08x%c\r\n", transfer->chunks, size == left ? '$' : '+');
        transfer->link.output.end += (size_t)count;
        transfer->chunks++;
        transfer->offset += size;
        files->progress++;
    }
    return true;
}

static bool write_dirty(cbench_files *files) {
    for (unsigned i = 0; i < files->dirty_count; i++) {
        transfer *transfer = files->dirty[i];
        transfer->dirty = false;
        if (transfer->state != MOVING) continue;
        bool pending = false;
        if (!push_more(files, transfer)) return false;
        if (link_flush(&transfer->link, &pending) == LINK_CLOSED) return fault(files, "a connection was closed");
        pending = pending || (transfer->pushes && transfer->offset < files->options.size);
        if (pending == transfer->writing) continue;
        struct epoll_event event = {.events = EPOLLIN | (pending ? EPOLLOUT : 0), .data.ptr = transfer};
        epoll_ctl(files->poll, EPOLL_CTL_MOD, transfer->link.descriptor, &event);
        transfer->writing = pending;
    }
    files->dirty_count = 0;
    return true;
}

/// One wait, and what follows from it.
static bool turn(cbench_files *files) {
    struct epoll_event events[most_receivers + 1];
    if (!write_dirty(files)) return false;
    int count = epoll_wait(files->poll, events, most_receivers + 1, 100);
    if (count < 0 && errno != EINTR) return fault(files, "epoll: %s", strerror(errno));
    for (int i = 0; i < count; i++) {
        transfer *transfer = events[i].data.ptr;
        if (!transfer) {
            if (!read_sip(files)) return false;
            continue;
        }
        if (transfer->state != MOVING) continue;
        if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR) && !receive(files, transfer)) return false;
        if (events[i].events & EPOLLOUT && transfer->state == MOVING) mark_dirty_transfer(files, transfer);
    }
    return write_dirty(files) && retransmit(files);
}

// MARK: Phases

static bool stuck(cbench_files *files, uint64_t *seen, double *since) {
    double now = now_seconds();
    if (files->progress != *seen) {
        *seen = files->progress;
        *since = now;
    }
    if (now - *since <= patience) return false;
    return !fault(files, "a file transfer stands still");
}

double cbench_files_push(cbench_files *files) {
    transfer *pusher = &files->transfers[0];
    double started = now_seconds(), since = started;
    uint64_t seen = files->progress;
    pusher->pushes = true;
    if (!call(files, pusher)) return -1;
    while (pusher->state != RESTING)
        if (!turn(files) || stuck(files, &seen, &since)) return -1;
    pusher->pushes = false;
    return now_seconds() - started;
}

static void *pull(void *context) {
    cbench_files *files = context;
    double started = now_seconds(), since = started;
    uint64_t seen = files->progress;
    files->result = (cbench_files_result){0};
    for (;;) {
        unsigned busy = 0;
        for (unsigned i = 0; i < files->options.receivers; i++) {
            transfer *transfer = &files->transfers[i];
            if (transfer->state == RESTING && !files->stopping && !call(files, transfer)) return NULL;
            busy += transfer->state != RESTING;
        }
        if (!busy) break;
        if (!turn(files) || stuck(files, &seen, &since)) return NULL;
    }
    files->result.seconds = now_seconds() - started;
    return NULL;
}

bool cbench_files_start(cbench_files *files) {
    files->stopping = false;
    files->is_running = pthread_create(&files->thread, NULL, pull, files) == 0;
    return files->is_running || fault(files, "no thread");
}

bool cbench_files_stop(cbench_files *files, cbench_files_result *result) {
    if (!files->is_running) return !files->failed;
    files->stopping = true;
    pthread_join(files->thread, NULL);
    files->is_running = false;
    *result = files->result;
    return !files->failed;
}
