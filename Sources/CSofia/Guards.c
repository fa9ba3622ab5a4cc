/*
 * Keeps hostile packets away from code of the library that would abort on them.
 *
 * The library's dialog code trusts that a dialog's target can be routed to. One packet with `Contact: <tel:+1>`, or a
 * Record-Route of such a URI, or no Contact and a From of such a URI, makes a dialog to which a later BYE fails, and
 * that failure ends in an assertion. Here the parsers of those headers are wrapped, so that such a header does not
 * parse and the library answers 400 by itself.
 */
#include "internal.h"

#include <dlfcn.h>
#include <netdb.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static atomic_uint_fast64_t refusals;

void cs_count_refusal(void) { atomic_fetch_add_explicit(&refusals, 1, memory_order_relaxed); }
uint64_t cs_guard_refusals(void) { return atomic_load_explicit(&refusals, memory_order_relaxed); }

bool cs_url_is_routable(url_t const *url)
{
    return (url->url_type == url_sip || url->url_type == url_sips) && url->url_host != NULL && url->url_host[0] != '\0';
}

typedef issize_t parse_function(su_home_t *, msg_header_t *, char *, isize_t);

static parse_function *original_contact, *original_record_route, *original_route, *original_from;

static issize_t refuse(void)
{
    cs_count_refusal();
    return -1;
}

static issize_t parse_contact(su_home_t *home, msg_header_t *header, char *text, isize_t length)
{
    issize_t const result = original_contact(home, header, text, length);
    if (result < 0) return result;
    for (sip_contact_t const *contact = (sip_contact_t *)header; contact != NULL; contact = contact->m_next)
        if (!cs_url_is_routable(contact->m_url)) return refuse();
    return result;
}

static issize_t check_routes(sip_route_t const *route, issize_t result)
{
    for (; result >= 0 && route != NULL; route = route->r_next)
        if (!cs_url_is_routable(route->r_url)) return refuse();
    return result;
}

static issize_t parse_record_route(su_home_t *home, msg_header_t *header, char *text, isize_t length)
{
    return check_routes((sip_route_t *)header, original_record_route(home, header, text, length));
}

static issize_t parse_route(su_home_t *home, msg_header_t *header, char *text, isize_t length)
{
    return check_routes((sip_route_t *)header, original_route(home, header, text, length));
}

static issize_t parse_from(su_home_t *home, msg_header_t *header, char *text, isize_t length)
{
    issize_t const result = original_from(home, header, text, length);
    if (result >= 0 && !cs_url_is_routable(((sip_from_t *)header)->a_url)) return refuse();
    return result;
}

/* The class objects are constants in memory that the loader made read-only; clang drops stores to what it knows to be
 * constant, hence the empty asm. */
static parse_function *wrap(msg_hclass_t *constant, parse_function *replacement)
{
    struct msg_hclass_s *class = (struct msg_hclass_s *)constant;
    __asm__ volatile("" : "+r"(class));
    uintptr_t const page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t const first = (uintptr_t)&class->hc_parse & ~(page - 1);
    uintptr_t const end = (uintptr_t)(&class->hc_parse + 1);
    size_t const length = end - first;
    if (mprotect((void *)first, length, PROT_READ | PROT_WRITE) != 0) return NULL;
    parse_function *original = class->hc_parse;
    class->hc_parse = replacement;
    mprotect((void *)first, length, PROT_READ);
    return original;
}

bool cs_install_guards(void)
{
    original_contact = wrap(sip_contact_class, parse_contact);
    original_record_route = wrap(sip_record_route_class, parse_record_route);
    original_route = wrap(sip_route_class, parse_route);
    original_from = wrap(sip_from_class, parse_from);
    return original_contact && original_record_route && original_route && original_from;
}

/*
 * Interposed: the library calls these through its PLT, so the definitions here win.
 */

/* nua posts signals to itself here. What it would post for a REFER is a NOTIFY to whatever Contact the REFER names,
 * even when the REFER is refused: any stranger could make us a reflector. */
void nua_stack_post_signal(nua_handle_t *handle, nua_event_t event, tag_type_t tag, tag_value_t value, ...);
int nua_signal(nua_t *, nua_handle_t *, msg_t *, nua_event_t, int, char const *, tag_type_t, tag_value_t, ...);

void nua_stack_post_signal(nua_handle_t *handle, nua_event_t event, tag_type_t tag, tag_value_t value, ...)
{
    cs_stack *stack = cs_current_stack();
    if (stack == NULL || stack->nua == NULL) return;
    if (event == nua_r_notify) {
        cs_count_refusal();
        return;
    }
    ta_list list;
    ta_start(list, tag, value);
    nua_signal(stack->nua, handle, NULL, event, 0, NULL, ta_tags(list));
    ta_end(list);
}

/* Whether a response makes nua send the request again by itself: after 401 and 407 with credentials (nua would keep
 * the request waiting for them), after 302 and 305 to where a peer says, after 423, after Retry-After. Authentication
 * is the application's, the rest is nobody's wish. */
int nua_client_check_restart(void *request, int status, char const *phrase, sip_t const *sip);

int nua_client_check_restart(void *request, int status, char const *phrase, sip_t const *sip)
{
    (void)request, (void)status, (void)phrase, (void)sip;
    return 0;
}

/* Whether a final response to a request of ours ends its dialog (-1), its usage (> 0) or nothing but the request (0).
 * The library lets 405 and 501 end a call; they say that the peer lacks a method, not that it lacks the call (RFC 5057
 * section 5.1). */
int sip_response_terminates_dialog(int status, sip_method_t method, int *graceful)
{
    typedef int function(int, sip_method_t, int *);
    static function *original;
    if (status == 405 || status == 501) {
        if (graceful != NULL) *graceful = 0;
        if (method != sip_method_invite) return 0;
    }
    if (original == NULL) original = (function *)dlsym(RTLD_NEXT, "sip_response_terminates_dialog");
    return original != NULL ? original(status, method, graceful) : 0;
}

/* Names resolve in the background, through the library's own resolver. But the transport, asked to send to a name that
 * came in a packet (the Via of a response, say), calls getaddrinfo and waits for it: one packet would stop everything
 * for seconds. Only addresses pass here once the stack runs. */
int su_getaddrinfo(const char *node, const char *service, const su_addrinfo_t *hints, su_addrinfo_t **result)
{
    typedef int function(const char *, const char *, const su_addrinfo_t *, su_addrinfo_t **);
    static function *original;
    if (original == NULL) original = (function *)dlsym(RTLD_NEXT, "su_getaddrinfo");
    if (original == NULL) return EAI_FAIL;
    if (node == NULL || cs_is_starting()) return original(node, service, hints, result);
    su_addrinfo_t numeric = {0};
    if (hints != NULL) numeric = *hints;
    numeric.ai_flags |= AI_NUMERICHOST;
    int const failure = original(node, service, &numeric, result);
    if (failure != 0) cs_count_refusal();
    return failure;
}

/* STUN on the SIP port: the library answers it, and writes a line to standard error for each packet that a stranger
 * sends. Nothing here needs STUN: the packet is dropped. */
int tport_recv_stun_dgram(tport_t const *self, msg_t **message, su_sockaddr_t *from, socklen_t from_length);

int tport_recv_stun_dgram(tport_t const *self, msg_t **message, su_sockaddr_t *from, socklen_t from_length)
{
    enum { RECEIVED_AND_DONE = 3 };
    (void)self, (void)from, (void)from_length;
    cs_count_refusal();
    if (*message != NULL) msg_destroy(*message);
    *message = NULL;
    return RECEIVED_AND_DONE;
}
