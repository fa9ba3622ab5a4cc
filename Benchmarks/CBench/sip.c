#define _GNU_SOURCE
#include "group.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>

enum { datagram_size = 65536, most_attempts = 20 };

bool sip_open(cbench_group *group) {
    group->udp = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_in local = {.sin_family = AF_INET}, remote = {.sin_family = AF_INET};
    local.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    remote.sin_port = htons(group->options.sip_port);
    if (inet_pton(AF_INET, group->sip_host, &remote.sin_addr) != 1)
        return fail(group, "%s is not a numeric IPv4 address", group->sip_host);
    int size = 4 << 20;
    setsockopt(group->udp, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    socklen_t length = sizeof local;
    if (group->udp < 0 || bind(group->udp, (struct sockaddr *)&local, length) < 0
        || connect(group->udp, (struct sockaddr *)&remote, sizeof remote) < 0
        || getsockname(group->udp, (struct sockaddr *)&local, &length) < 0)
        return fail(group, "no UDP socket: %s", strerror(errno));
    group->udp_port = ntohs(local.sin_port);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(group->poll, EPOLL_CTL_ADD, group->udp, &event);
    return true;
}

static bool send_datagram(cbench_group *group, const char *bytes, int size) {
    if (size < 0 || size >= datagram_size) return fail(group, "a SIP message is too long");
    // A full socket buffer is a lost datagram: retransmission mends it.
    if (send(group->udp, bytes, (size_t)size, MSG_NOSIGNAL) < 0 && errno != EAGAIN && errno != ENOBUFS)
        return fail(group, "sending SIP: %s", strerror(errno));
    return true;
}

/// The request line and the header fields that INVITE, ACK and BYE share.
static int put_head(
    cbench_group *group, char *out, size_t size, const char *method, unsigned sequence, const char *target,
    participant *participant) {
    bool in_dialog = participant->to_tag[0] != 0;
    return snprintf(
        out, size,
        "%s %s SIP/2.0\r\n"
        "Via: SIP/2.0/UDP 127.0.0.1:%u;branch=z9hG4bK%s-%u-%s-%u;rport\r\n"
        "Max-Forwards: 70\r\n"
        "From: <sip:u%u@%s>;tag=f%u\r\n"
        "To: <sip:%s%u@%s>%s%s\r\n"
        "Call-ID: %s-%u@bench\r\n"
        "CSeq: %u %s\r\n",
        method, target, group->udp_port, group->nonce, participant->index, method, sequence, participant->index,
        group->domain, participant->index, group->room_prefix, participant->room, group->domain,
        in_dialog ? ";tag=" : "", participant->to_tag, group->nonce, participant->index, sequence, method);
}

bool sip_invite(cbench_group *group, participant *participant) {
    char body[1024], message[4096], target[longest_uri];
    const char *scheme = group->options.tls ? "msrps" : "msrp";
    snprintf(
        participant->local_path, sizeof participant->local_path, "%s://127.0.0.1:2855/%s%u;tcp", scheme, group->nonce,
        participant->index);
    int body_size = snprintf(
        body, sizeof body,
        "v=0\r\no=- %u 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
        "m=message 2855 %s *\r\n"
        "a=path:%s\r\n"
        "a=accept-types:message/cpim text/*\r\n"
        "a=accept-wrapped-types:text/*%s\r\n"
        "a=setup:active\r\n"
        "a=chatroom:private-messages\r\n",
        participant->index + 1, group->options.tls ? "TCP/TLS/MSRP" : "TCP/MSRP", participant->local_path,
        group->options.picture_size ? " image/*" : "");
    snprintf(target, sizeof target, "sip:%s%u@%s", group->room_prefix, participant->room, group->domain);
    int size = put_head(group, message, sizeof message, "INVITE", 1, target, participant);
    size += snprintf(
        message + size, sizeof message - (size_t)size,
        "Contact: <sip:u%u@127.0.0.1:%u>\r\n"
        "Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE\r\n"
        "User-Agent: confd-bench\r\n"
        "Content-Type: application/sdp\r\nContent-Length: %d\r\n\r\n%s",
        participant->index, group->udp_port, body_size, body);
    participant->state = INVITING;
    participant->sent_at = now_seconds();
    participant->attempts++;
    return send_datagram(group, message, size);
}

static bool ack(cbench_group *group, participant *participant) {
    char message[4096];
    int size = put_head(group, message, sizeof message, "ACK", 1, participant->contact, participant);
    size += snprintf(message + size, sizeof message - (size_t)size, "Content-Length: 0\r\n\r\n");
    return send_datagram(group, message, size);
}

bool sip_bye(cbench_group *group, participant *participant) {
    char message[4096];
    int size = put_head(group, message, sizeof message, "BYE", 2, participant->contact, participant);
    size += snprintf(message + size, sizeof message - (size_t)size, "Content-Length: 0\r\n\r\n");
    participant->state = LEAVING;
    participant->sent_at = now_seconds();
    participant->attempts++;
    return send_datagram(group, message, size);
}

bool sip_retransmit(cbench_group *group) {
    double due = now_seconds() - 0.5;
    for (unsigned i = 0; i < group->options.participants; i++) {
        participant *participant = &group->participants[i];
        if ((participant->state != INVITING && participant->state != LEAVING) || participant->sent_at > due) continue;
        if (participant->attempts >= most_attempts) return fail(group, "participant %u gets no answer", i);
        bool sent = participant->state == INVITING ? sip_invite(group, participant) : sip_bye(group, participant);
        if (!sent) return false;
    }
    return true;
}

const char *sip_field(const char *message, const char *name, const char *compact, size_t *length) {
    for (const char *line = strstr(message, "\r\n"); line && memcmp(line, "\r\n\r\n", 4) != 0;
         line = strstr(line + 2, "\r\n")) {
        const char *start = line + 2;
        size_t n = strlen(name), c = strlen(compact);
        const char *colon = NULL;
        if (strncasecmp(start, name, n) == 0) colon = start + n;
        else if (c && strncasecmp(start, compact, c) == 0) colon = start + c;
        if (!colon) continue;
        while (*colon == ' ') colon++;
        if (*colon != ':') continue;
        colon++;
        while (*colon == ' ') colon++;
        const char *end = strstr(colon, "\r\n");
        if (!end) return NULL;
        *length = (size_t)(end - colon);
        return colon;
    }
    return NULL;
}

int sip_put_ok(const char *request, char *out, size_t capacity) {
    static const char *names[][2] = {{"Via", "v"}, {"From", "f"}, {"To", "t"}, {"Call-ID", "i"}, {"CSeq", ""}};
    int size = snprintf(out, capacity, "SIP/2.0 200 OK\r\n");
    for (int i = 0; i < 5; i++) {
        size_t length;
        const char *value = sip_field(request, names[i][0], names[i][1], &length);
        if (!value || length > 600) return 0;
        size += snprintf(out + size, capacity - (size_t)size, "%s: %.*s\r\n", names[i][0], (int)length, value);
    }
    return size + snprintf(out + size, capacity - (size_t)size, "Content-Length: 0\r\n\r\n");
}

static bool accepted(cbench_group *group, participant *participant, const char *message) {
    size_t length;
    const char *to = sip_field(message, "To", "t", &length), *tag = to ? strcasestr(to, ";tag=") : NULL;
    if (!tag || tag > to + length) return fail(group, "a 200 without To tag");
    size_t tag_size = strcspn(tag + 5, ";, \r\n");
    const char *contact = sip_field(message, "Contact", "m", &length), *uri = contact ? strchr(contact, '<') : NULL;
    const char *uri_end = uri ? strchr(uri, '>') : NULL;
    const char *path = strstr(message, "\r\na=path:");
    if (!uri_end || uri_end > contact + length || !path) return fail(group, "a 200 without Contact or a=path");
    size_t uri_size = (size_t)(uri_end - uri - 1), path_size = strcspn(path + 9, " \r\n");
    if (tag_size >= sizeof participant->to_tag || uri_size >= sizeof participant->contact
        || path_size >= sizeof participant->remote_path)
        return fail(group, "a 200 with overlong values");
    memcpy(participant->to_tag, tag + 5, tag_size);
    memcpy(participant->contact, uri + 1, uri_size);
    memcpy(participant->remote_path, path + 9, path_size);
    unsigned port;
    if (sscanf(participant->remote_path, "msrp%*[s]://%63[^:/]:%u/", participant->remote_host, &port) != 2
        && sscanf(participant->remote_path, "msrp://%63[^:/]:%u/", participant->remote_host, &port) != 2)
        return fail(group, "a path without port: %s", participant->remote_path);
    participant->remote_port = (uint16_t)port;
    return true;
}

/// The index in a Call-ID of ours; as many as there are participants when it is none.
static unsigned long call_index(cbench_group *group, const char *message) {
    size_t length;
    const char *call = sip_field(message, "Call-ID", "i", &length);
    if (!call || strncmp(call, group->nonce, 16) != 0 || call[16] != '-') return group->options.participants;
    return strtoul(call + 17, NULL, 10);
}

/// The server may end the calls of those who read nothing.
static bool stalled_left(cbench_group *group, const char *message) {
    unsigned long index = call_index(group, message);
    if (index >= group->options.participants || !group->participants[index].stalled) return false;
    participant *participant = &group->participants[index];
    if (participant->state != LEFT && participant->state != LEAVING) {
        participant->state = LEFT;
        group->left++;
    }
    return true;
}

static bool request_arrived(cbench_group *group, const char *message) {
    if (strncmp(message, "ACK ", 4) == 0) return true;
    if (strncmp(message, "BYE ", 4) == 0 && !stalled_left(group, message))
        return fail(group, "the server ended a call");
    char response[4096];
    int size = sip_put_ok(message, response, sizeof response);
    return size <= 0 || send_datagram(group, response, size);
}

static bool response_arrived(cbench_group *group, const char *message) {
    int status = atoi(message + 8);
    size_t length;
    unsigned long index = call_index(group, message);
    const char *sequence = sip_field(message, "CSeq", "", &length);
    if (index >= group->options.participants || !sequence || status < 200) return true;
    participant *participant = &group->participants[index];
    if (memmem(sequence, length, "INVITE", 6)) {
        if (participant->state == INVITING) {
            if (status >= 300) return fail(group, "an INVITE was refused: %.*s", (int)strcspn(message, "\r"), message);
            if (!accepted(group, participant, message)) return false;
            participant->state = JOINED;
            group->joined++;
            group->progress++;
        }
        return participant->contact[0] == 0 || ack(group, participant);
    }
    if (participant->state == LEAVING) {
        participant->state = LEFT;
        group->left++;
        group->progress++;
    }
    return true;
}

bool sip_receive(cbench_group *group) {
    static _Thread_local char message[datagram_size + 1];
    for (int i = 0; i < 256; i++) {
        ssize_t n = recv(group->udp, message, datagram_size, 0);
        if (n < 0) {
            if (errno == EAGAIN || errno == EINTR) return true;
            if (errno == ECONNREFUSED) return fail(group, "nobody listens on the SIP port");
            return fail(group, "reading SIP: %s", strerror(errno));
        }
        message[n] = 0;
        bool well = strncmp(message, "SIP/2.0 ", 8) == 0 ? response_arrived(group, message)
            : n > 4                                      ? request_arrived(group, message)
                                                         : true;
        if (!well) return false;
    }
    return true;
}
