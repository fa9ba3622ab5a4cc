/* What the application does with calls, and requests of its own. */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

cs_call *cs_invite(cs_stack *stack, const cs_destination *destination, const cs_content *content)
{
    sip_payload_t payload[1];
    cs_fill_payload(payload, content);
    cs_call *call = calloc(1, sizeof *call);
    if (call == NULL || stack->shutting_down) {
        free(call);
        return NULL;
    }
    call->magic.kind = CS_MAGIC_CALL;
    call->magic.id = ++stack->last_id;
    call->magic.stack = stack;
    call->magic.handle = nua_handle(stack->nua, &call->magic,
                                    SIPTAG_FROM_STR(destination->from), SIPTAG_TO_STR(destination->to), TAG_END());
    if (call->magic.handle == NULL) {
        free(call);
        return NULL;
    }
    stack->calls++;
    char sequence[32];
    snprintf(sequence, sizeof sequence, "%u INVITE", destination->sequence);
    nua_invite(call->magic.handle,
               NUTAG_URL(destination->target),
               TAG_IF(destination->route, NUTAG_PROXY(destination->route)),
               TAG_IF(destination->call_id, SIPTAG_CALL_ID_STR(destination->call_id)),
               TAG_IF(destination->call_id, SIPTAG_CSEQ_STR(sequence)),
               CONTENT_TAGS(content, payload),
               TAG_END());
    return call;
}

void cs_ack(cs_call *call, const cs_content *content)
{
    sip_payload_t payload[1];
    cs_fill_payload(payload, content);
    nua_ack(call->magic.handle, CONTENT_TAGS(content, payload), TAG_END());
}

void cs_cancel(cs_call *call) { nua_cancel(call->magic.handle, TAG_END()); }

void cs_bye(cs_call *call, const cs_content *content)
{
    nua_bye(call->magic.handle, TAG_IF(content->headers, SIPTAG_HEADER_STR(content->headers)), TAG_END());
}

void cs_reinvite(cs_call *call, const cs_content *content)
{
    sip_payload_t payload[1];
    cs_fill_payload(payload, content);
    nua_invite(call->magic.handle, CONTENT_TAGS(content, payload), TAG_END());
}

void cs_update(cs_call *call, const cs_content *content)
{
    sip_payload_t payload[1];
    cs_fill_payload(payload, content);
    nua_update(call->magic.handle, CONTENT_TAGS(content, payload), TAG_END());
}

void cs_route(cs_call *call, const char *uri) { nua_set_hparams(call->magic.handle, NUTAG_PROXY(uri), TAG_END()); }

uint64_t cs_call_id(const cs_call *call) { return call->magic.id; }

cs_exchange *cs_send(
    cs_stack *stack, const char *method, const cs_destination *destination, const cs_content *content)
{
    sip_payload_t payload[1];
    cs_fill_payload(payload, content);
    cs_exchange *exchange = calloc(1, sizeof *exchange);
    if (exchange == NULL) return NULL;
    exchange->magic.kind = CS_MAGIC_EXCHANGE;
    exchange->magic.id = ++stack->last_id;
    exchange->magic.stack = stack;
    exchange->method = strdup(method);
    exchange->magic.handle =
        stack->shutting_down || exchange->method == NULL
            ? NULL
            : nua_handle(stack->nua, &exchange->magic,
                         SIPTAG_FROM_STR(destination->from), SIPTAG_TO_STR(destination->to), TAG_END());
    if (exchange->magic.handle == NULL) {
        free(exchange->method);
        free(exchange);
        return NULL;
    }
    nua_method(exchange->magic.handle,
               NUTAG_METHOD(exchange->method),
               NUTAG_URL(destination->target),
               TAG_IF(destination->route, NUTAG_PROXY(destination->route)),
               CONTENT_TAGS(content, payload),
               TAG_END());
    return exchange;
}

uint64_t cs_exchange_id(const cs_exchange *exchange) { return exchange->magic.id; }
