/* Which of several listeners a message of ours leaves by. */
#include "internal.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The listener that a peer's last request arrived at, found by the peer's address: a cache of fixed size, where the
 * newer of two peers with one slot stays. What is not in it is chosen by routing. */
typedef struct {
    uint64_t peer;
    tport_t *listener;
} cs_path;

enum { CS_PATHS = 1 << 14 };

struct cs_paths {
    cs_path slots[CS_PATHS];
};

static uint64_t hash_of(int transport, char const *host, int port)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (; *host != '\0'; host++) hash = (hash ^ (unsigned char)*host) * 0x100000001b3u;
    hash = (hash ^ (unsigned)port) * 0x100000001b3u;
    hash = (hash ^ (unsigned)transport) * 0x100000001b3u;
    return hash ^ hash >> 29;
}

void cs_path_note(cs_stack *stack, cs_endpoint const *peer, tport_t *listener)
{
    if (listener == NULL || peer->host[0] == '\0' || stack->listener_count < 2) return;
    if (stack->paths == NULL) stack->paths = calloc(1, sizeof *stack->paths);
    if (stack->paths == NULL) return;
    uint64_t const hash = hash_of(peer->transport, peer->host, peer->port);
    stack->paths->slots[hash % CS_PATHS] = (cs_path){hash, listener};
}

static tport_t *noted(cs_stack *stack, cs_endpoint const *peer)
{
    if (stack->paths == NULL) return NULL;
    uint64_t const hash = hash_of(peer->transport, peer->host, peer->port);
    cs_path const *slot = &stack->paths->slots[hash % CS_PATHS];
    return slot->peer == hash ? slot->listener : NULL;
}

/* The numeric address in a transport name; false for names and for what is none. */
static bool is_numeric(tp_name_t const *name, cs_endpoint *peer, bool *is_ipv6)
{
    char const *host = name->tpn_host;
    size_t length = host != NULL ? strlen(host) : 0;
    if (length > 2 && host[0] == '[' && host[length - 1] == ']') host++, length -= 2;
    if (length == 0 || length >= sizeof peer->host) return false;
    memset(peer, 0, sizeof *peer);
    memcpy(peer->host, host, length);
    peer->transport = cs_transport_by_name(name->tpn_proto);
    peer->port = name->tpn_port != NULL ? atoi(name->tpn_port) : 0;
    struct in_addr four;
    struct in6_addr six;
    *is_ipv6 = inet_pton(AF_INET6, peer->host, &six) == 1;
    if (!*is_ipv6) return inet_pton(AF_INET, peer->host, &four) == 1;
    /* The form in which arrivals are noted. */
    return inet_ntop(AF_INET6, &six, peer->host, sizeof peer->host) != NULL;
}

/* Interposed: the library takes the first listener of the protocol, even one of the other address family, because it
 * does not see that "[::1]" is an address. */
tport_t *tport_primary_by_name(tport_t const *self, tp_name_t const *name)
{
    typedef tport_t *function(tport_t const *, tp_name_t const *);
    static function *original;
    if (original == NULL) original = (function *)dlsym(RTLD_NEXT, "tport_primary_by_name");
    if (original == NULL) return NULL;
    cs_stack *stack = cs_current_stack();
    cs_endpoint peer, facing;
    bool is_ipv6;
    if (stack == NULL || self == NULL || !is_numeric(name, &peer, &is_ipv6)) return original(self, name);

    char const *const protocol =
        peer.transport == CS_TLS ? "tls" : peer.transport == CS_TCP ? "tcp" : "udp";
    tport_t *const known = noted(stack, &peer);
    tport_t *first = NULL;
    size_t count = 0;
    for (tport_t *listener = tport_primaries(self); listener != NULL; listener = tport_next(listener)) {
        if (strcasecmp(tport_name(listener)->tpn_proto, protocol) != 0) continue;
        if (is_ipv6 ? !tport_has_ip6(listener) : !tport_has_ip4(listener)) continue;
        if (listener == known) return listener;
        if (first == NULL) first = listener;
        count++;
    }
    if (first == NULL) return original(self, name);
    if (count == 1) return first;

    facing = (cs_endpoint){.transport = peer.transport};
    snprintf(facing.host, sizeof facing.host, "%s", is_ipv6 ? "::" : "0.0.0.0");
    cs_local_address(stack, &facing, &peer);
    for (tport_t *listener = first; listener != NULL; listener = tport_next(listener))
        if (strcasecmp(tport_name(listener)->tpn_proto, protocol) == 0
            && strcmp(tport_name(listener)->tpn_host, facing.host) == 0)
            return listener;
    return first;
}
