#define _GNU_SOURCE
#include "CBench.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { most_events = 256, copy_size = 65536 };

struct side;

/// What goes from one socket to the other.
typedef struct {
    struct side *from, *to;
    /// Between two splices.
    int pipe[2];
    size_t in_pipe;
    /// Read and not yet written; only while the receiver is slow.
    char *held;
    size_t held_start, held_end;
} direction;

typedef struct side {
    int descriptor;
    struct pair *pair;
    direction *out, *in;
    bool watched;
    uint32_t interest;
} side;

typedef struct pair {
    side sides[2];
    direction directions[2];
    bool gone;
    struct pair *next_gone;
} pair;

typedef struct {
    int poll;
    bool splices;
    struct sockaddr_in backend;
    pair *gone;
    char buffer[copy_size];
} copier;

static size_t waiting(const direction *direction) {
    return direction->in_pipe + direction->held_end - direction->held_start;
}

static void watch(copier *copier, side *side) {
    // Who still has something for the other side to take is not read.
    uint32_t interest = (waiting(side->out) ? 0 : (uint32_t)EPOLLIN) | (waiting(side->in) ? (uint32_t)EPOLLOUT : 0);
    if (side->watched && interest == side->interest) return;
    struct epoll_event event = {.events = interest, .data.ptr = side};
    epoll_ctl(copier->poll, side->watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, side->descriptor, &event);
    side->watched = true;
    side->interest = interest;
}

static void leave(copier *copier, pair *pair) {
    if (pair->gone) return;
    pair->gone = true;
    pair->next_gone = copier->gone;
    copier->gone = pair;
}

static void release(pair *pair) {
    for (int i = 0; i < 2; i++) {
        if (pair->sides[i].descriptor >= 0) close(pair->sides[i].descriptor);
        if (pair->directions[i].pipe[0] > 0) close(pair->directions[i].pipe[0]);
        if (pair->directions[i].pipe[1] > 0) close(pair->directions[i].pipe[1]);
        free(pair->directions[i].held);
    }
    free(pair);
}

/// False when a side is gone.
static bool splice_out(direction *direction) {
    while (direction->in_pipe > 0) {
        ssize_t n = splice(
            direction->pipe[0], NULL, direction->to->descriptor, NULL, direction->in_pipe,
            SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
        if (n <= 0) return n < 0 && (errno == EAGAIN || errno == EINTR);
        direction->in_pipe -= (size_t)n;
    }
    return true;
}

static bool splice_in(direction *direction) {
    ssize_t n = splice(
        direction->from->descriptor, NULL, direction->pipe[1], NULL, copy_size, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    if (n <= 0) return n < 0 && (errno == EAGAIN || errno == EINTR);
    direction->in_pipe += (size_t)n;
    return splice_out(direction);
}

static bool write_held(direction *direction) {
    while (direction->held_start < direction->held_end) {
        ssize_t n = send(
            direction->to->descriptor, direction->held + direction->held_start,
            direction->held_end - direction->held_start, MSG_NOSIGNAL);
        if (n < 0) return errno == EAGAIN || errno == EINTR;
        direction->held_start += (size_t)n;
    }
    direction->held_start = direction->held_end = 0;
    return true;
}

static bool copy_in(copier *copier, direction *direction) {
    ssize_t n = recv(direction->from->descriptor, copier->buffer, copy_size, 0);
    if (n <= 0) return n < 0 && (errno == EAGAIN || errno == EINTR);
    ssize_t sent = send(direction->to->descriptor, copier->buffer, (size_t)n, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN && errno != EINTR) return false;
    if (sent < 0) sent = 0;
    if (sent == n) return true;
    if (!direction->held && !(direction->held = malloc(copy_size))) return false;
    direction->held_end = (size_t)(n - sent);
    memcpy(direction->held, copier->buffer + sent, direction->held_end);
    return true;
}

static void ready(copier *copier, side *side, uint32_t events) {
    bool well = true;
    if (events & EPOLLOUT) well = splice_out(side->in) && write_held(side->in);
    if (well && events & (EPOLLIN | EPOLLHUP | EPOLLERR) && !waiting(side->out))
        well = copier->splices ? splice_in(side->out) : copy_in(copier, side->out);
    if (!well) return leave(copier, side->pair);
    watch(copier, &side->pair->sides[0]);
    watch(copier, &side->pair->sides[1]);
}

static void accept_pair(copier *copier, int listener) {
    int descriptor = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), one = 1;
    if (descriptor < 0) return;
    pair *made = calloc(1, sizeof *made);
    if (!made) {
        close(descriptor);
        return;
    }
    made->sides[0].descriptor = descriptor;
    made->sides[1].descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool well = made->sides[1].descriptor >= 0
        && connect(made->sides[1].descriptor, (struct sockaddr *)&copier->backend, sizeof copier->backend) == 0;
    for (int i = 0; i < 2; i++) {
        side *side = &made->sides[i];
        side->pair = made;
        side->out = &made->directions[i];
        side->in = &made->directions[1 - i];
        made->directions[i].from = side;
        made->directions[i].to = &made->sides[1 - i];
        setsockopt(side->descriptor, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        if (copier->splices && pipe2(made->directions[i].pipe, O_NONBLOCK | O_CLOEXEC) < 0) well = false;
    }
    if (!well) return release(made);
    fcntl(made->sides[1].descriptor, F_SETFL, O_NONBLOCK);
    watch(copier, &made->sides[0]);
    watch(copier, &made->sides[1]);
}

int cbench_copy_serve(uint16_t port, uint16_t backend, bool splices) {
    static copier copier;
    cbench_raise_descriptor_limit();
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&address, size) < 0 || listen(listener, 1024) < 0
        || getsockname(listener, (struct sockaddr *)&address, &size) < 0) {
        perror("ccopy");
        return 1;
    }
    copier.poll = epoll_create1(EPOLL_CLOEXEC);
    copier.splices = splices;
    copier.backend = address;
    copier.backend.sin_port = htons(backend);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL}, events[most_events];
    epoll_ctl(copier.poll, EPOLL_CTL_ADD, listener, &event);
    printf("ccopy ready: port=%u\n", ntohs(address.sin_port));
    fflush(stdout);
    for (;;) {
        int count = epoll_wait(copier.poll, events, most_events, -1);
        if (count < 0 && errno != EINTR) return 1;
        for (int i = 0; i < count; i++) {
            side *side = events[i].data.ptr;
            if (!side) accept_pair(&copier, listener);
            else if (!side->pair->gone) ready(&copier, side, events[i].events);
        }
        while (copier.gone) {
            pair *gone = copier.gone;
            copier.gone = gone->next_gone;
            release(gone);
        }
    }
}
