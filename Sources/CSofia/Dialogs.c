/* Dialogs of SUBSCRIBE and REFER, kept at the transaction layer: nua would answer and notify by itself. */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

static int on_request(cs_dialog *dialog, nta_leg_t *leg, nta_incoming_t *irq, sip_t const *sip)
{
    (void)leg;
    return cs_dialog_request(dialog, irq, sip);
}

bool cs_is_dialog_leg(nta_leg_t const *leg) { return nta_leg_magic(leg, on_request) != NULL; }

static cs_dialog *link_dialog(cs_stack *stack)
{
    cs_dialog *dialog = calloc(1, sizeof *dialog);
    if (dialog == NULL) return NULL;
    dialog->stack = stack;
    dialog->id = ++stack->last_id;
    dialog->next = stack->first_dialog;
    if (stack->first_dialog != NULL) stack->first_dialog->previous = dialog;
    stack->first_dialog = dialog;
    return dialog;
}

cs_dialog *cs_dialog_create(cs_stack *stack, cs_destination const *destination)
{
    cs_dialog *dialog = link_dialog(stack);
    if (dialog == NULL) return NULL;
    char sequence[16];
    snprintf(sequence, sizeof sequence, "%u", destination->sequence);
    dialog->leg = nta_leg_tcreate(stack->agent, on_request, dialog,
                                  SIPTAG_FROM_STR(destination->from), SIPTAG_TO_STR(destination->to),
                                  TAG_IF(destination->call_id, SIPTAG_CALL_ID_STR(destination->call_id)),
                                  TAG_IF(destination->call_id, SIPTAG_CSEQ_STR(sequence)),
                                  TAG_END());
    if (dialog->leg == NULL || nta_leg_tag(dialog->leg, NULL) == NULL) {
        cs_dialog_close(dialog);
        return NULL;
    }
    return dialog;
}

cs_dialog *cs_accept(cs_transaction *transaction, int status, const cs_content *content)
{
    cs_stack *stack = transaction->stack;
    if (transaction->irq == NULL || transaction->is_within || stack->shutting_down) return NULL;
    if (stack->dialogs >= stack->configuration->maximum_dialogs) return NULL;
    msg_t *message = nta_incoming_getrequest(transaction->irq);
    sip_t const *sip = message != NULL ? sip_object(message) : NULL;
    cs_dialog *dialog = sip != NULL ? link_dialog(stack) : NULL;
    if (dialog != NULL) {
        su_home_t home[1] = {0};
        su_home_init(home);
        /* With the tag from the beginning: a request without one is not within this dialog. */
        sip_to_t *local = sip_to_dup(home, sip->sip_to);
        if (local != NULL && sip_to_tag(home, local, nta_incoming_gettag(transaction->irq)) >= 0)
            dialog->leg = nta_leg_tcreate(stack->agent, on_request, dialog,
                                          SIPTAG_CALL_ID(sip->sip_call_id), SIPTAG_FROM(local),
                                          SIPTAG_TO(sip->sip_from), NTATAG_REMOTE_CSEQ(sip->sip_cseq->cs_seq),
                                          TAG_END());
        su_home_deinit(home);
        if (dialog->leg == NULL
            || nta_leg_server_route(dialog->leg, sip->sip_record_route, sip->sip_contact) < 0) {
            cs_dialog_close(dialog);
            dialog = NULL;
        }
    }
    if (dialog != NULL) {
        dialog->accepted = true;
        stack->dialogs++;
        cs_respond(transaction, status, NULL, content);
    }
    if (message != NULL) msg_destroy(message);
    return dialog;
}

uint64_t cs_dialog_id(const cs_dialog *dialog) { return dialog->id; }

void cs_dialog_route(cs_dialog *dialog, const char *uri) { cs_way_route(&dialog->way, uri); }

void cs_dialog_close(cs_dialog *dialog)
{
    cs_stack *stack = dialog->stack;
    if (dialog->previous != NULL)
        dialog->previous->next = dialog->next;
    else
        stack->first_dialog = dialog->next;
    if (dialog->next != NULL) dialog->next->previous = dialog->previous;
    if (dialog->accepted) stack->dialogs--;
    if (dialog->leg != NULL) nta_leg_destroy(dialog->leg);
    cs_way_release(dialog->way);
    free(dialog);
}

void cs_dialogs_drop(cs_stack *stack)
{
    while (stack->first_dialog != NULL) cs_dialog_close(stack->first_dialog);
}

nta_leg_t *cs_find_leg(cs_stack *stack, char const *call_id, char const *local_tag, char const *remote_tag)
{
    if (call_id == NULL || local_tag == NULL || remote_tag == NULL || local_tag[0] == 0 || remote_tag[0] == 0)
        return NULL;
    sip_call_id_t id[1];
    sip_call_id_init(id);
    id->i_id = call_id;
    id->i_hash = msg_hash_string(call_id);
    nta_leg_t *leg = nta_leg_by_dialog(stack->agent, NULL, id, remote_tag, NULL, local_tag, NULL);
    /* The library finds what may be meant; here it must be it. */
    char const *local = leg != NULL ? nta_leg_get_tag(leg) : NULL;
    char const *remote = leg != NULL ? nta_leg_get_rtag(leg) : NULL;
    return local != NULL && remote != NULL && strcmp(local, local_tag) == 0 && strcmp(remote, remote_tag) == 0 ? leg
                                                                                                                : NULL;
}

void cs_dialog_refresh(cs_stack *stack, sip_t const *request)
{
    sip_method_t const method = request->sip_request->rq_method;
    if (method != sip_method_subscribe && method != sip_method_notify) return;
    sip_contact_t const *contact = request->sip_contact;
    if (contact == NULL || !cs_url_is_routable(contact->m_url)) return;
    nta_leg_t *leg = cs_find_leg(stack, request->sip_call_id->i_id, request->sip_to->a_tag, request->sip_from->a_tag);
    if (leg != NULL) nta_leg_server_route(leg, request->sip_record_route, contact);
}
