/* Requests of ours that make no call, each from its sending to its final answer. */
#include "internal.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    /* RFC 3261 section 18.1.1: what is larger goes over TCP; less some space for Via. */
    LARGEST_SAFE_DATAGRAM = 1300,
    LARGEST_DATAGRAM = 65507,
    /* Start line, From, To, Call-ID, Via and the like, about. */
    USUAL_HEAD = 700,
};

static cs_way *way_create(void)
{
    cs_way *way = calloc(1, sizeof *way);
    if (way != NULL) way->owners = 1;
    return way;
}

void cs_way_release(cs_way *way)
{
    if (way == NULL || --way->owners > 0) return;
    free(way->route);
    free(way);
}

void cs_way_route(cs_way **way, char const *uri)
{
    if (*way == NULL && uri != NULL) *way = way_create();
    if (*way == NULL) return;
    free((*way)->route);
    (*way)->route = uri != NULL ? strdup(uri) : NULL;
    (*way)->tcp_refused = false;
}

/* A route is where packets came from: behind a NAT nothing but that way is open. */
static bool leads_by_datagram(cs_way const *way)
{
    return way->tcp_refused || (way->route != NULL && strstr(way->route, "transport=udp") != NULL);
}

static cs_exchange *link_exchange(cs_stack *stack)
{
    cs_exchange *exchange = calloc(1, sizeof *exchange);
    if (exchange == NULL) return NULL;
    exchange->stack = stack;
    exchange->id = ++stack->last_id;
    exchange->next = stack->first_exchange;
    if (stack->first_exchange != NULL) stack->first_exchange->previous = exchange;
    stack->first_exchange = exchange;
    return exchange;
}

static void forget(cs_exchange *exchange)
{
    cs_stack *stack = exchange->stack;
    if (exchange->previous != NULL)
        exchange->previous->next = exchange->next;
    else
        stack->first_exchange = exchange->next;
    if (exchange->next != NULL) exchange->next->previous = exchange->previous;
    if (exchange->request != NULL) nta_outgoing_destroy(exchange->request);
    if (exchange->dialog != NULL) cs_dialog_close(exchange->dialog);
    cs_way_release(exchange->way);
    free(exchange);
}

void cs_exchanges_drop(cs_stack *stack)
{
    while (stack->first_exchange != NULL) forget(stack->first_exchange);
}

/* Whether a request that is too large for UDP went that way all the same. */
static bool has_gone_by_datagram(nta_outgoing_t *request)
{
    msg_t *message = nta_outgoing_getrequest(request);
    sip_t const *sip = message != NULL ? sip_object(message) : NULL;
    bool const is_datagram = sip != NULL && sip->sip_via != NULL && sip->sip_via->v_protocol != NULL
        && strcasecmp(sip->sip_via->v_protocol, sip_transport_udp) == 0;
    if (message != NULL) msg_destroy(message);
    return is_datagram;
}

/* Called by the library, never before the request was created. */
static int on_answer(cs_exchange *exchange, nta_outgoing_t *request, sip_t const *sip)
{
    cs_stack *stack = exchange->stack;
    int status = nta_outgoing_status(request);
    char const *phrase = sip != NULL && sip->sip_status != NULL ? sip->sip_status->st_phrase : NULL;
    cs_message message;
    memset(&message, 0, sizeof message);
    cs_event event = {.kind = CS_ANSWER, .id = exchange->id};
    bool is_local = true;
    if (sip != NULL && sip->sip_status != NULL) {
        msg_t *response = nta_outgoing_getresponse(request);
        cs_describe_source(response, sip, &message);
        cs_describe(stack, sip, &message);
        if (response != NULL) msg_destroy(response);
        event.message = &message;
        is_local = message.source.port == 0;
    }
    if (status >= 200) {
        if (exchange->way != NULL && exchange->may_try_tcp && exchange->size > LARGEST_SAFE_DATAGRAM
            && has_gone_by_datagram(request))
            exchange->way->tcp_refused = true;
        /* RFC 3261 section 21.5.7, said by ourselves. */
        if (is_local && status == 503 && exchange->size > LARGEST_DATAGRAM - USUAL_HEAD)
            status = 513, phrase = "Message Too Large";
        /* All but the response ends before the application hears of it: it may shut the stack down. */
        event.status = status;
        event.phrase = phrase;
        exchange->request = NULL;
        forget(exchange);
        stack->configuration->on_event(stack->configuration->context, &event);
        nta_outgoing_destroy(request);
        return 0;
    }
    event.status = status;
    event.phrase = phrase;
    stack->configuration->on_event(stack->configuration->context, &event);
    return 0;
}

typedef struct {
    char const *method;
    char const *target; /* NULL: the dialog's */
    char const *route;
    bool datagram;
} envelope;

static bool post(cs_exchange *exchange, nta_leg_t *leg, envelope envelope, cs_content const *content)
{
    cs_stack *stack = exchange->stack;
    sip_payload_t payload[1];
    cs_fill_payload(payload, content);
    msg_t *message = nta_msg_create(stack->agent, 0);
    sip_t *sip = message != NULL ? sip_object(message) : NULL;
    if (sip == NULL) return false;
    sip_method_t const method = sip_method_code(envelope.method);
    bool const is_complete =
        sip_add_tl(message, sip,
                   SIPTAG_USER_AGENT_STR(stack->configuration->product),
                   TAG_IF(method != sip_method_notify, SIPTAG_ALLOW_STR(stack->configuration->allow)),
                   CONTENT_TAGS(content, payload),
                   TAG_END()) >= 0
        && nta_msg_request_complete(message, leg, method, envelope.method,
                                    (url_string_t const *)envelope.target) >= 0;
    if (is_complete) {
        exchange->size = content->body.count + (content->headers != NULL ? strlen(content->headers) : 0) + USUAL_HEAD;
        exchange->may_try_tcp = !envelope.datagram;
        if (envelope.datagram) sip->sip_flags |= CS_FLAG_DATAGRAM;
        exchange->request = nta_outgoing_mcreate(stack->agent, on_answer, exchange,
                                                 (url_string_t const *)envelope.route, message, TAG_END());
    }
    if (exchange->request == NULL) msg_destroy(message);
    return exchange->request != NULL;
}

cs_exchange *cs_send(
    cs_stack *stack, const char *method, const cs_destination *destination, const cs_content *content)
{
    cs_exchange *exchange = stack->shutting_down ? NULL : link_exchange(stack);
    if (exchange == NULL) return NULL;
    exchange->dialog = cs_dialog_create(stack, destination);
    if (exchange->dialog == NULL
        || !post(exchange, exchange->dialog->leg,
                 (envelope){.method = method, .target = destination->target, .route = destination->route}, content)) {
        forget(exchange);
        return NULL;
    }
    return exchange;
}

static cs_exchange *send_within(
    cs_stack *stack, nta_leg_t *leg, cs_way **way, const char *method, const cs_content *content)
{
    if (leg == NULL || stack->shutting_down) return NULL;
    if (*way == NULL) *way = way_create();
    cs_exchange *exchange = *way != NULL ? link_exchange(stack) : NULL;
    if (exchange == NULL) return NULL;
    exchange->way = *way;
    (*way)->owners++;
    if (!post(exchange, leg,
              (envelope){.method = method, .route = (*way)->route, .datagram = leads_by_datagram(*way)}, content)) {
        forget(exchange);
        return NULL;
    }
    return exchange;
}

cs_exchange *cs_send_in_call(cs_call *call, const char *method, const cs_content *content)
{
    cs_stack *stack = call->magic.stack;
    nta_leg_t *leg = cs_find_leg(stack, call->call_id, call->local_tag, call->remote_tag);
    return send_within(stack, leg, &call->way, method, content);
}

cs_exchange *cs_send_in_dialog(cs_dialog *dialog, const char *method, const cs_content *content)
{
    return send_within(dialog->stack, dialog->leg, &dialog->way, method, content);
}

cs_dialog *cs_exchange_keep(cs_exchange *exchange)
{
    cs_dialog *dialog = exchange->dialog;
    exchange->dialog = NULL;
    return dialog;
}

uint64_t cs_exchange_id(const cs_exchange *exchange) { return exchange->id; }

/* Interposed: the library sends each message by this, with the size above which UDP is not to be used (RFC 3261
 * section 18.1.1). Where TCP is known to lead nowhere that limit only costs time. */
tport_t *tport_tsend(tport_t *self, msg_t *message, tp_name_t const *name, tag_type_t tag, tag_value_t value, ...)
{
    typedef tport_t *function(tport_t *, msg_t *, tp_name_t const *, tag_type_t, tag_value_t, ...);
    static function *original;
    if (original == NULL) original = (function *)dlsym(RTLD_NEXT, "tport_tsend");
    if (original == NULL) return NULL;
    msg_pub_t const *content = message != NULL ? msg_object(message) : NULL;
    bool const is_datagram = content != NULL && (content->msg_flags & CS_FLAG_DATAGRAM) != 0;
    ta_list list;
    ta_start(list, tag, value);
    tport_t *result = original(self, message, name,
                               TAG_IF(is_datagram, TPTAG_MTU(LARGEST_DATAGRAM)), TAG_NEXT(ta_args(list)));
    ta_end(list);
    return result;
}
