/* How long stream connections may live, and how many there may be; the library itself has no limits. */
#include "internal.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* The library's, not in its headers; called through its PLT. */
typedef struct tport_primary_s tport_primary_t;
tport_t *tport_alloc_secondary(tport_primary_t *primary, int socket, int accepted, char const **reason);
void tport_zap_secondary(tport_t *self);
int tport_shutdown0(tport_t *self, int how);

enum {
    /* A connection whose other end has closed: time for answers that are still to come, in ms. */
    HALF_CLOSED_LIFE = 4000,
    /* How often those are looked at that the library keeps longer, in ms. */
    SWEEP_INTERVAL = 2000,
};

/* A connection that is half closed: known until it is closed or gone. */
struct cs_half_closed {
    tport_t *connection;
    su_time_t since;
    struct cs_half_closed *next;
};

static void forget_half_closed(cs_stack *stack, tport_t const *connection)
{
    for (struct cs_half_closed **entry = &stack->half_closed; *entry != NULL; entry = &(*entry)->next) {
        if ((*entry)->connection != connection) continue;
        struct cs_half_closed *gone = *entry;
        *entry = gone->next;
        free(gone);
        return;
    }
}

/* Closes what is half closed for long although the library still refers to it (a transaction that waits for an answer
 * which could not be sent anyhow). */
static void sweep(cs_stack *stack, su_timer_t *timer, cs_timer *ignored)
{
    (void)ignored;
    su_time_t const now = su_now();
    struct cs_half_closed *old = NULL;
    for (struct cs_half_closed **entry = &stack->half_closed; *entry != NULL;) {
        struct cs_half_closed *candidate = *entry;
        if (su_duration(now, candidate->since) < 2 * HALF_CLOSED_LIFE) {
            entry = &candidate->next;
            continue;
        }
        *entry = candidate->next;
        candidate->next = old;
        old = candidate;
    }
    while (old != NULL) {
        struct cs_half_closed *next = old->next;
        tport_shutdown(old->connection, 2);
        free(old);
        old = next;
    }
    if (stack->half_closed != NULL) su_timer_set(timer, sweep, NULL);
}

static void note_half_closed(cs_stack *stack, tport_t *connection)
{
    forget_half_closed(stack, connection);
    struct cs_half_closed *entry = calloc(1, sizeof *entry);
    if (entry == NULL) return;
    bool const idle = stack->half_closed == NULL;
    *entry = (struct cs_half_closed){connection, su_now(), stack->half_closed};
    stack->half_closed = entry;
    if (stack->sweep_timer == NULL) stack->sweep_timer = su_timer_create(stack->task, SWEEP_INTERVAL);
    if (idle && stack->sweep_timer != NULL) su_timer_set(stack->sweep_timer, sweep, NULL);
}

void cs_connections_drop(cs_stack *stack)
{
    while (stack->half_closed != NULL) forget_half_closed(stack, stack->half_closed->connection);
    if (stack->sweep_timer != NULL) su_timer_destroy(stack->sweep_timer);
    stack->sweep_timer = NULL;
}

/* Interposed: a connection is made, by a peer or by us. It may be silent only for a short time until the first request
 * comes over it (cs_connection_is_used), and no message may take longer than that to arrive. */
tport_t *tport_alloc_secondary(tport_primary_t *primary, int socket, int accepted, char const **reason)
{
    typedef tport_t *function(tport_primary_t *, int, int, char const **);
    static function *original;
    if (original == NULL) original = (function *)dlsym(RTLD_NEXT, "tport_alloc_secondary");
    cs_stack *stack = cs_current_stack();
    if (original == NULL) return NULL;
    if (stack == NULL) return original(primary, socket, accepted, reason);
    if (accepted && stack->connections >= stack->configuration->maximum_connections) {
        cs_count_refusal();
        *reason = "too many connections";
        close(socket);
        return NULL;
    }
    if (accepted) fcntl(socket, F_SETFD, FD_CLOEXEC);
    tport_t *connection = original(primary, socket, accepted, reason);
    if (connection != NULL) {
        stack->connections++;
        unsigned const silence = stack->configuration->silent_connection_life;
        tport_set_params(connection, TPTAG_IDLE(accepted ? silence : stack->configuration->idle_connection_life),
                         TPTAG_TIMEOUT(silence), TAG_END());
    }
    return connection;
}

/* Interposed: sockets of the library do not leak into programs that the process starts. */
su_socket_t su_socket(int family, int type, int protocol)
{
    typedef su_socket_t function(int, int, int);
    static function *original;
    if (original == NULL) original = (function *)dlsym(RTLD_NEXT, "su_socket");
    if (original == NULL) return -1;
    return original(family, type | SOCK_CLOEXEC, protocol);
}

void cs_connection_is_used(cs_stack *stack, tport_t *connection)
{
    unsigned idle = 0;
    if (!tport_is_secondary(connection)) return;
    tport_get_params(connection, TPTAG_IDLE_REF(idle), TAG_END());
    if (idle == stack->configuration->silent_connection_life)
        tport_set_params(connection, TPTAG_IDLE(stack->configuration->idle_connection_life), TAG_END());
}

/* Interposed: a connection is gone. */
void tport_zap_secondary(tport_t *self)
{
    typedef void function(tport_t *);
    static function *original;
    if (original == NULL) original = (function *)dlsym(RTLD_NEXT, "tport_zap_secondary");
    cs_stack *stack = cs_current_stack();
    if (self != NULL && stack != NULL) {
        if (stack->connections > 0) stack->connections--;
        forget_half_closed(stack, self);
    }
    if (original != NULL) original(self);
}

/* Interposed: the library stops to read from a connection, because its other end closed it or sent what is no SIP, and
 * would then keep it for ever. */
int tport_shutdown0(tport_t *self, int how)
{
    typedef int function(tport_t *, int);
    static function *original;
    if (original == NULL) original = (function *)dlsym(RTLD_NEXT, "tport_shutdown0");
    if (original == NULL) return -1;
    int const result = original(self, how);
    cs_stack *stack = cs_current_stack();
    if (result == 0 && stack != NULL && !stack->shutting_down && tport_is_secondary(self)) {
        tport_set_params(self, TPTAG_IDLE(HALF_CLOSED_LIFE), TPTAG_TIMEOUT(HALF_CLOSED_LIFE), TAG_END());
        note_half_closed(stack, self);
    }
    return result;
}
