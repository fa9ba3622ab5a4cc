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

void cs_route(cs_call *call, const char *uri)
{
    cs_way_route(&call->way, uri);
    nua_set_hparams(call->magic.handle, NUTAG_PROXY(uri), TAG_END());
}

uint64_t cs_call_id(const cs_call *call) { return call->magic.id; }

static char *copy_of(char const *text) { return text != NULL ? strdup(text) : NULL; }

void cs_call_learn(cs_call *call, char const *call_id, char const *local_tag, char const *remote_tag)
{
    free(call->call_id), free(call->local_tag), free(call->remote_tag);
    call->call_id = copy_of(call_id), call->local_tag = copy_of(local_tag), call->remote_tag = copy_of(remote_tag);
}

void cs_call_free(cs_call *call)
{
    cs_call_learn(call, NULL, NULL, NULL);
    cs_way_release(call->way);
    free(call);
}

/* nua makes the legs of calls, with the handle as their magic; the others are dialogs of ours. */
uint64_t cs_find_call(cs_stack *stack, const char *call_id, const char *local_tag, const char *remote_tag)
{
    nta_leg_t *leg = cs_find_leg(stack, call_id, local_tag, remote_tag);
    if (leg == NULL || cs_is_dialog_leg(leg)) return 0;
    cs_magic const *magic = nua_handle_magic((nua_handle_t *)nta_leg_magic(leg, NULL));
    return magic != NULL ? magic->id : 0;
}
