/* How long stream connections may live, and how many there may be; the library itself has no limits. */
#include "internal.h"

#include <dlfcn.h>
#include <unistd.h>

/* The library's, not in its headers; called through its PLT. */
typedef struct tport_primary_s tport_primary_t;
tport_t *tport_alloc_secondary(tport_primary_t *primary, int socket, int accepted, char const **reason);
void tport_zap_secondary(tport_t *self);
int tport_shutdown0(tport_t *self, int how);

enum {
    /* A connection whose other end has closed: time for answers that are still to come. */
    HALF_CLOSED_LIFE = 4000, /* ms */
};

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
    tport_t *connection = original(primary, socket, accepted, reason);
    if (connection != NULL) {
        stack->connections++;
        unsigned const silence = stack->configuration->silent_connection_life;
        tport_set_params(connection, TPTAG_IDLE(accepted ? silence : stack->configuration->idle_connection_life),
                         TPTAG_TIMEOUT(silence), TAG_END());
    }
    return connection;
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
    if (self != NULL && stack != NULL && stack->connections > 0) stack->connections--;
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
    if (result == 0 && cs_current_stack() != NULL && tport_is_secondary(self))
        tport_set_params(self, TPTAG_IDLE(HALF_CLOSED_LIFE), TPTAG_TIMEOUT(HALF_CLOSED_LIFE), TAG_END());
    return result;
}
