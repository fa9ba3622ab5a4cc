/* Requests of peers: what is checked before nua sees them, what is kept from nua, and how they are answered. */
#include "internal.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

typedef int process_function(nua_handle_t *, nta_leg_t *, nta_incoming_t *, sip_t const *);

int nua_stack_process_request(nua_handle_t *handle, nta_leg_t *leg, nta_incoming_t *irq, sip_t const *sip);

/* ---- transactions ---- */

void cs_transaction_link(cs_stack *stack, cs_transaction *transaction)
{
    transaction->stack = stack;
    transaction->id = ++stack->last_id;
    transaction->next = stack->transactions;
    transaction->previous = NULL;
    if (stack->transactions != NULL) stack->transactions->previous = transaction;
    stack->transactions = transaction;
    stack->pending++;
}

void cs_transaction_discard(cs_transaction *transaction)
{
    cs_stack *stack = transaction->stack;
    if (transaction->previous != NULL)
        transaction->previous->next = transaction->next;
    else
        stack->transactions = transaction->next;
    if (transaction->next != NULL) transaction->next->previous = transaction->previous;
    stack->pending--;
    if (transaction->irq != NULL) nta_incoming_destroy(transaction->irq);
    if (transaction->message != NULL) msg_destroy(transaction->message);
    if (transaction->handle != NULL) nua_handle_unref(transaction->handle);
    free(transaction->peer_names);
    free(transaction);
}

void cs_transactions_drop(cs_stack *stack)
{
    while (stack->transactions != NULL) cs_transaction_discard(stack->transactions);
}

/* nua keeps the pointer to a phrase until it has sent the response, so phrases live for ever; there are few. */
static char const *interned_phrase(int status, char const *phrase)
{
    enum { KEPT = 128, LONGEST = 127 };
    static char *kept[KEPT];
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    char const *standard = sip_status_phrase(status);
    if (standard == NULL) standard = "Response";
    if (phrase == NULL || strcmp(phrase, standard) == 0 || strlen(phrase) > LONGEST) return standard;
    char const *found = standard;
    pthread_mutex_lock(&lock);
    for (int index = 0; index < KEPT; index++) {
        if (kept[index] == NULL) {
            if ((kept[index] = strdup(phrase)) != NULL) found = kept[index];
            break;
        }
        if (strcmp(kept[index], phrase) == 0) {
            found = kept[index];
            break;
        }
    }
    pthread_mutex_unlock(&lock);
    return found;
}

void cs_respond(cs_transaction *transaction, int status, const char *phrase, const cs_content *content)
{
    sip_payload_t payload[1];
    cs_fill_payload(payload, content);
    phrase = interned_phrase(status, phrase);

    if (transaction->irq != NULL) {
        cs_stack *stack = transaction->stack;
        char own_contact[CS_HOST_SIZE + 48];
        char const *contact = content->contact;
        if (contact == NULL && transaction->adds_contact && status >= 200 && status < 300) {
            bool const six = strchr(transaction->local.host, ':') != NULL;
            snprintf(own_contact, sizeof own_contact, "<%s:%s%s%s:%d%s>",
                     transaction->local.transport == CS_TLS ? "sips" : "sip", six ? "[" : "", transaction->local.host,
                     six ? "]" : "", transaction->local.port,
                     transaction->local.transport == CS_TCP ? ";transport=tcp" : "");
            contact = own_contact;
        }
        if (transaction->is_within && status >= 200 && status < 300) {
            msg_t *request = nta_incoming_getrequest(transaction->irq);
            if (request != NULL && sip_object(request) != NULL) cs_dialog_refresh(stack, sip_object(request));
            if (request != NULL) msg_destroy(request);
        }
        nta_incoming_treply(
            transaction->irq, status, phrase,
            SIPTAG_SERVER_STR(stack->configuration->product),
            TAG_IF(contact != NULL && content->contact == NULL, SIPTAG_CONTACT_STR(contact)),
            CONTENT_TAGS(content, payload),
            TAG_END());
    } else {
        nua_respond(
            transaction->handle, status, phrase,
            NUTAG_WITH(transaction->message),
            CONTENT_TAGS(content, payload),
            TAG_END());
    }
    if (status >= 200) cs_transaction_discard(transaction);
}

/* ---- arrivals ---- */

/* The names in the certificate of the peer that sent `message`, one a line; NULL: none, or nobody verified it. */
static char *names_of_peer(tport_t *connection, msg_t const *message)
{
    if (!tport_is_verified(connection)) return NULL;
    su_strlst_t const *names = tport_delivered_from_subjects(connection, message);
    size_t length = 1;
    for (size_t index = 0; index < su_strlst_len(names); index++) length += strlen(su_strlst_item(names, index)) + 1;
    char *joined = length > 1 ? calloc(1, length) : NULL;
    char *end = joined;
    for (size_t index = 0; joined != NULL && index < su_strlst_len(names); index++) {
        end = stpcpy(end, su_strlst_item(names, index));
        *end++ = '\n';
    }
    return joined;
}

/* Source and listener of the request in `irq`, while its transport still knows. */
static void note_endpoints(cs_stack *stack, nta_incoming_t *irq, msg_t *message, cs_endpoint *source,
                           cs_endpoint *local, char **peer_names)
{
    int transport = CS_UDP;
    memset(local, 0, sizeof *local);
    *peer_names = NULL;
    tport_t *primary = NULL;
    tport_t *tport = nta_incoming_transport(stack->agent, irq, message);
    if (tport != NULL) {
        tp_name_t const *name = tport_name(tport);
        transport = cs_transport_by_name(name->tpn_proto);
        primary = tport_parent(tport);
        if (primary == NULL) primary = tport;
        tp_name_t const *listener = tport_name(primary);
        local->transport = transport;
        local->port = listener->tpn_port != NULL ? atoi(listener->tpn_port) : 0;
        for (size_t index = 0; index < stack->listener_count; index++) {
            cs_endpoint const *candidate = &stack->listeners[index];
            if (candidate->transport == transport && candidate->port == local->port
                && (stack->bound[index].port == 0 || strcmp(stack->bound[index].host, listener->tpn_host) == 0
                    || local->host[0] == '\0')) {
                *local = *candidate;
                if (strcmp(stack->bound[index].host, listener->tpn_host) == 0) break;
            }
        }
        if (local->trusted) *peer_names = names_of_peer(tport, message);
        cs_connection_is_used(stack, tport);
        tport_unref(tport);
    }
    su_sockaddr_t address[1];
    socklen_t size = sizeof address;
    memset(source, 0, sizeof *source);
    source->transport = transport;
    if (msg_get_address(message, address, &size) == 0) cs_endpoint_from_address(source, transport, address);
    cs_path_note(stack, source, primary);
    cs_local_address(stack, local, source);
}

/* ---- what the library is not shown ---- */

/* Requests within a call that belong to nua's session; everything else is held at the transaction layer, where a
 * request is answered once and leaves nothing behind. */
static bool is_session_method(sip_method_t method)
{
    return method == sip_method_invite || method == sip_method_bye || method == sip_method_update
        || method == sip_method_prack || method == sip_method_cancel || method == sip_method_ack;
}

static int refuse(cs_stack *stack, nta_incoming_t *irq, int status, char const *phrase, tag_type_t tag,
                  tag_value_t value)
{
    cs_count_refusal();
    nta_incoming_treply(irq, status, phrase, SIPTAG_SERVER_STR(stack->configuration->product), tag, value, TAG_END());
    return status;
}

struct cs_note {
    cs_stack *stack;
    cs_transaction *transaction;
};

/* Delivered in the same queue as nua's events, so that requests keep their order. */
static void deliver(cs_stack *stack, su_msg_r message, struct cs_note *note)
{
    (void)message;
    cs_transaction *transaction = note->transaction;
    stack = note->stack;
    for (cs_transaction *known = stack->transactions;; known = known->next) {
        if (known == NULL) return; /* dropped since */
        if (known == transaction) break;
    }
    msg_t *request = nta_incoming_getrequest(transaction->irq);
    sip_t const *sip = sip_object(request);
    if (sip != NULL && !stack->shutting_down) {
        cs_message described;
        memset(&described, 0, sizeof described);
        described.source = transaction->source;
        described.local = transaction->local;
        if (transaction->peer_names != NULL)
            described.peer_names =
                (cs_bytes){(uint8_t const *)transaction->peer_names, strlen(transaction->peer_names)};
        cs_describe(stack, sip, &described);
        cs_event event = {
            .kind = CS_REQUEST, .id = transaction->call_id, .dialog_id = transaction->dialog_id,
            .transaction = transaction, .transaction_id = transaction->id, .message = &described,
        };
        stack->configuration->on_event(stack->configuration->context, &event);
    }
    if (request != NULL) msg_destroy(request);
}

/* What a held request came within. */
typedef struct {
    uint64_t call_id, dialog_id;
    bool is_within;
} place;

static int hold(cs_stack *stack, place within, nta_incoming_t *irq, sip_t const *sip, msg_t *message)
{
    cs_transaction *transaction = calloc(1, sizeof *transaction);
    su_msg_r posted = SU_MSG_R_INIT;
    if (transaction == NULL
        || su_msg_create(posted, stack->task, stack->task, deliver, sizeof(struct cs_note)) != 0) {
        free(transaction);
        return refuse(stack, irq, SIP_500_INTERNAL_SERVER_ERROR, TAG_NULL());
    }
    sip_method_t const method = sip->sip_request->rq_method;
    note_endpoints(stack, irq, message, &transaction->source, &transaction->local, &transaction->peer_names);
    transaction->irq = irq;
    transaction->adds_contact = method == sip_method_options || method == sip_method_subscribe
        || method == sip_method_refer;
    transaction->call_id = within.call_id;
    transaction->dialog_id = within.dialog_id;
    transaction->is_within = within.is_within;
    cs_transaction_link(stack, transaction);
    su_msg_data(posted)->stack = stack;
    su_msg_data(posted)->transaction = transaction;
    su_msg_send(posted);
    return 0;
}

/* What is wrong with a request on its face, answered; 0 when nothing is. */
static int check(cs_stack *stack, nta_incoming_t *irq, sip_t const *sip, bool makes_call)
{
    sip_method_t const method = sip->sip_request->rq_method;
    /* RFC 3261 section 8.2.2.1 */
    url_t const *target = sip->sip_request->rq_url;
    if (target->url_type != url_sip && target->url_type != url_sips)
        return refuse(stack, irq, SIP_416_UNSUPPORTED_URI, TAG_NULL());
    if (!cs_url_is_routable(target))
        return refuse(stack, irq, 400, "Bad Request-URI", TAG_NULL());
    /* RFC 3261 section 8.2.2.3; CANCEL and ACK never come here. */
    if (sip->sip_require != NULL) {
        su_home_t home[1] = {0};
        su_home_init(home);
        sip_unsupported_t *unsupported = sip_has_unsupported(home, stack->understood, sip->sip_require);
        int const status = unsupported != NULL
            ? refuse(stack, irq, SIP_420_BAD_EXTENSION, SIPTAG_UNSUPPORTED(unsupported)) : 0;
        su_home_deinit(home);
        if (status != 0) return status;
    }
    /* RFC 3261 section 8.1.1.8, RFC 3311 section 5.1, RFC 3515 section 2.2, RFC 6665 section 3.1.6.4 */
    bool const needs_contact = method == sip_method_invite || method == sip_method_subscribe
        || method == sip_method_refer || method == sip_method_update;
    if (needs_contact && (sip->sip_contact == NULL || !cs_url_is_routable(sip->sip_contact->m_url)))
        return refuse(stack, irq, 400, "Missing Contact", TAG_NULL());
    for (sip_record_route_t const *route = sip->sip_record_route; route != NULL; route = route->r_next)
        if (!cs_url_is_routable(route->r_url)) return refuse(stack, irq, 400, "Bad Record-Route", TAG_NULL());
    if (sip->sip_from == NULL || !cs_url_is_routable(sip->sip_from->a_url) || sip->sip_to == NULL)
        return refuse(stack, irq, 400, "Bad From", TAG_NULL());
    if (stack->pending >= stack->configuration->maximum_pending
        || (makes_call && stack->calls >= stack->configuration->maximum_calls))
        return refuse(stack, irq, SIP_503_SERVICE_UNAVAILABLE, SIPTAG_RETRY_AFTER_STR("10"));
    /* RFC 4028 section 9: a peer that knows session timers is told what is too short */
    unsigned const minimum = stack->configuration->minimum_session_expires;
    if (sip->sip_session_expires != NULL && minimum > 0 && sip->sip_session_expires->x_delta < minimum
        && (method == sip_method_invite || method == sip_method_update)
        && sip_has_supported(sip->sip_supported, "timer")) {
        char text[16];
        snprintf(text, sizeof text, "%u", minimum);
        return refuse(stack, irq, SIP_422_SESSION_TIMER_TOO_SMALL, SIPTAG_MIN_SE_STR(text));
    }

    return 0;
}

/* Seconds that the source of a new request has to wait: a flood is to cost as little as it can, and neither a handle
 * of the library's nor a copy of the request is needed to say so. */
static unsigned seconds_to_wait(cs_stack *stack, msg_t *message)
{
    su_sockaddr_t address[1];
    socklen_t size = sizeof address;
    cs_endpoint source;
    memset(&source, 0, sizeof source);
    if (stack->configuration->on_arrival == NULL || msg_get_address(message, address, &size) != 0) return 0;
    cs_endpoint_from_address(&source, CS_UDP, address);
    return stack->configuration->on_arrival(stack->configuration->context, &source);
}

/* Interposed: every request that nua's agent takes comes through here first. */
int nua_stack_process_request(nua_handle_t *handle, nta_leg_t *leg, nta_incoming_t *irq, sip_t const *sip)
{
    static process_function *original;
    if (original == NULL) original = (process_function *)dlsym(RTLD_NEXT, "nua_stack_process_request");
    cs_stack *stack = cs_current_stack();
    if (original == NULL || stack == NULL || sip == NULL || sip->sip_request == NULL) return 500;

    sip_method_t const method = sip->sip_request->rq_method;
    bool const within = sip->sip_to != NULL && sip->sip_to->a_tag != NULL;
    bool const default_handle = nua_default(stack->nua) == handle;
    nta_incoming_tag(irq, NULL);

    if (stack->shutting_down && method != sip_method_bye)
        return refuse(stack, irq, SIP_503_SERVICE_UNAVAILABLE, TAG_NULL());
    if (method == sip_method_cancel) return 481;

    /* RFC 3261 section 8.2.1 */
    if (method == sip_method_unknown)
        return refuse(stack, irq, SIP_501_NOT_IMPLEMENTED, SIPTAG_ALLOW_STR(stack->configuration->allow));
    /* RFC 3261 section 12.2.2 */
    if (default_handle && (within || method == sip_method_bye || method == sip_method_update
                           || method == sip_method_prack || method == sip_method_notify || method == sip_method_info))
        return refuse(stack, irq, 481, "Call Does Not Exist", TAG_NULL());
    /* The library takes a request without To tag for one of the call with that Call-ID and From tag; who does not know
     * our tag is not within the call. */
    if (!default_handle && !within && method != sip_method_ack) {
        /* RFC 3261 section 8.2.2.2 */
        if (method == sip_method_invite) return refuse(stack, irq, SIP_482_LOOP_DETECTED, TAG_NULL());
        return refuse(stack, irq, 481, "Call Does Not Exist", TAG_NULL());
    }
    msg_t *message = nta_incoming_getrequest(irq);
    if (message == NULL) return 500;
    unsigned const wait = default_handle ? seconds_to_wait(stack, message) : 0;
    if (wait > 0) {
        char text[16];
        snprintf(text, sizeof text, "%u", wait);
        msg_destroy(message);
        return refuse(stack, irq, SIP_503_SERVICE_UNAVAILABLE, SIPTAG_RETRY_AFTER_STR(text));
    }
    int status = check(stack, irq, sip, default_handle && method == sip_method_invite);
    if (status != 0) {
        msg_destroy(message);
        return status;
    }
    if (is_session_method(method)) {
        /* Session timers and Require are handled here and above, so nua must not see them: its own refresh is an
         * INVITE without an offer, or an UPDATE that the peer may not know. The octets stay in the message. */
        sip_t *seen = sip_object(message);
        if (seen != NULL) seen->sip_session_expires = NULL, seen->sip_min_se = NULL, seen->sip_require = NULL;
        /* Nor what the peer supports: a 183 to one with 100rel would wait for a PRACK, which we do not offer. */
        if (seen != NULL) seen->sip_supported = NULL;
        cs_arrival *arrival = &stack->arrivals[stack->next_arrival++ % CS_ARRIVALS];
        arrival->message = message;
        free(arrival->peer_names);
        note_endpoints(stack, irq, message, &arrival->source, &arrival->local, &arrival->peer_names);
        char const *tag = nta_incoming_gettag(irq);
        snprintf(arrival->local_tag, sizeof arrival->local_tag, "%s", tag != NULL ? tag : "");
        status = original(handle, leg, irq, sip);
    } else {
        cs_magic const *magic = default_handle ? NULL : nua_handle_magic(handle);
        place const place = {.call_id = magic != NULL ? magic->id : 0, .is_within = !default_handle};
        status = hold(stack, place, irq, sip, message);
    }
    msg_destroy(message);
    return status;
}

int cs_dialog_request(cs_dialog *dialog, nta_incoming_t *irq, sip_t const *sip)
{
    cs_stack *stack = dialog->stack;
    if (sip == NULL || sip->sip_request == NULL) return 500;
    sip_method_t const method = sip->sip_request->rq_method;
    if (method == sip_method_ack || method == sip_method_cancel) return 481;
    if (stack->shutting_down) return refuse(stack, irq, SIP_503_SERVICE_UNAVAILABLE, TAG_NULL());
    if (method == sip_method_unknown)
        return refuse(stack, irq, SIP_501_NOT_IMPLEMENTED, SIPTAG_ALLOW_STR(stack->configuration->allow));
    /* There is no session in such a dialog (RFC 5057 section 4). */
    if (is_session_method(method)) return refuse(stack, irq, 481, "Call Does Not Exist", TAG_NULL());
    int status = check(stack, irq, sip, false);
    if (status != 0) return status;
    msg_t *message = nta_incoming_getrequest(irq);
    if (message == NULL) return 500;
    status = hold(stack, (place){.dialog_id = dialog->id, .is_within = true}, irq, sip, message);
    msg_destroy(message);
    return status;
}
