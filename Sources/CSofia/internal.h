/* What the files of the shim share. */
#pragma once
#include "CSofia.h"

#include <pthread.h>
#include <stdbool.h>

struct cs_magic;
#define NTA_LEG_MAGIC_T struct cs_dialog
#define NTA_OUTGOING_MAGIC_T struct cs_exchange
#define NUA_MAGIC_T struct cs_stack
#define NUA_HMAGIC_T struct cs_magic
#define SU_ROOT_MAGIC_T struct cs_stack
#define SU_TIMER_ARG_T struct cs_timer
#define SU_MSG_ARG_T struct cs_note

#include <sofia-sip/msg_addr.h>
#include <sofia-sip/msg_header.h>
#include <sofia-sip/nta.h>
#include <sofia-sip/nta_tport.h>

#include <sofia-sip/nua.h>
#include <sofia-sip/nua_tag.h>
#include <sofia-sip/sip_extra.h>
#include <sofia-sip/sip_header.h>
#include <sofia-sip/sip_protos.h>
#include <sofia-sip/sip_status.h>
#include <sofia-sip/sip_tag.h>
#include <sofia-sip/sip_util.h>
#include <sofia-sip/su_addrinfo.h>
#include <sofia-sip/su_log.h>
#include <sofia-sip/su_tag_io.h>
#include <sofia-sip/su_tagarg.h>
#include <sofia-sip/su_wait.h>
#include <sofia-sip/tport.h>
#include <sofia-sip/tport_tag.h>

/* What a nua handle's magic points to. */
typedef struct cs_magic {
    uint64_t id;
    cs_stack *stack;
    nua_handle_t *handle;
} cs_magic;

/* How requests of ours within a dialog travel: the dialog's, and of those that are on their way. */
typedef struct {
    unsigned owners;
    char *route; /* instead of where the dialog says */
    /* The peer took no TCP connection when a request was too large for UDP. */
    bool tcp_refused;
} cs_way;

struct cs_call {
    cs_magic magic;
    bool terminated;
    cs_way *way;
    /* Of its dialog; NULL until there is one. */
    char *call_id, *local_tag, *remote_tag;
};

/* A dialog of SUBSCRIBE or REFER, ours or a peer's, kept at the transaction layer. */
struct cs_dialog {
    uint64_t id;
    cs_stack *stack;
    nta_leg_t *leg;
    cs_way *way;
    bool accepted;
    cs_dialog *next, *previous;
};

/* A request of ours that nua does not know of, and that waits for its answer. */
struct cs_exchange {
    uint64_t id;
    cs_stack *stack;
    nta_outgoing_t *request;
    cs_dialog *dialog; /* its own, which goes with it */
    cs_way *way;       /* of the dialog it is within */
    bool may_try_tcp;
    size_t size; /* about */
    cs_exchange *next, *previous;
};

/* A request that waits for its answer: one that nua holds (`message` tells which), or one held at the transaction
 * layer (`irq`). */
struct cs_transaction {
    uint64_t id;
    cs_stack *stack;
    nua_handle_t *handle;
    msg_t *message;
    nta_incoming_t *irq;
    uint64_t call_id, dialog_id;
    bool is_within; /* a dialog */
    bool adds_contact;
    cs_endpoint source, local;
    char *peer_names;
    cs_transaction *next, *previous;
};

/* Where a request that nua has taken came from: the transport knows it only while it delivers, nua's event comes
 * later. */
typedef struct {
    const msg_t *message;
    cs_endpoint source, local;
    char local_tag[48];
    char *peer_names;
} cs_arrival;

enum { CS_ARRIVALS = 4096 };

struct cs_timer {
    su_timer_t *timer;
    uint64_t id;
    cs_stack *stack;
};

struct cs_stack {
    su_home_t home[1];
    const cs_configuration *configuration;
    su_root_t *root;
    su_task_r task;
    nua_t *nua;
    nta_agent_t *agent;
    cs_endpoint *listeners;
    cs_endpoint *bound; /* what each listener's socket is bound to */
    size_t listener_count;
    int failed_listener;
    char failure[160];
    uint64_t last_id;
    unsigned calls;
    unsigned dialogs; /* accepted ones */
    cs_dialog *first_dialog;
    cs_exchange *first_exchange;
    unsigned connections;
    struct cs_half_closed *half_closed;
    su_timer_t *sweep_timer;
    unsigned pending;
    bool shutting_down, stopped, shut_down_cleanly;
    su_timer_t *shutdown_timer;
    cs_arrival arrivals[CS_ARRIVALS];
    unsigned next_arrival;
    struct cs_paths *paths;
    sip_supported_t *understood;
    cs_transaction *transactions;
    /* Where a message is laid out for its callback; grows to what was needed. */
    char *scratch;
    size_t scratch_size;
};

#define OPAQUE_TAG(content, index) \
    TAG_IF((content)->opaque_headers[index], SIPTAG_UNKNOWN_STR((content)->opaque_headers[index]))

/* The tags for a cs_content whose body was put into `payload`. */
#define CONTENT_TAGS(content, payload) \
    TAG_IF((content)->contact, SIPTAG_CONTACT_STR((content)->contact)), \
    TAG_IF((content)->headers, SIPTAG_HEADER_STR((content)->headers)), \
    OPAQUE_TAG(content, 0), OPAQUE_TAG(content, 1), OPAQUE_TAG(content, 2), OPAQUE_TAG(content, 3), \
    TAG_IF((content)->body.count > 0, SIPTAG_CONTENT_TYPE_STR((content)->content_type)), \
    TAG_IF((content)->body.count > 0, SIPTAG_PAYLOAD(payload))

static inline sip_payload_t *cs_fill_payload(sip_payload_t payload[1], const cs_content *content)
{
    sip_payload_init(payload);
    payload->pl_data = (char *)content->body.bytes;
    payload->pl_len = content->body.count;
    return payload;
}

/* The stack of the calling thread. */
cs_stack *cs_current_stack(void);
/* Whether the calling thread opens its stack just now. */
bool cs_is_starting(void);

/* Guards.c */
/* Once per process; false when the library's memory could not be changed. */
bool cs_install_guards(void);
bool cs_url_is_routable(url_t const *url);
void cs_count_refusal(void);

/* Requests.c */
void cs_transaction_link(cs_stack *stack, cs_transaction *transaction);
void cs_transactions_drop(cs_stack *stack);
/* A request within a dialog of ours, for the application or refused; the status for the library. */
int cs_dialog_request(cs_dialog *dialog, nta_incoming_t *irq, sip_t const *sip);

/* Dialogs.c */
void cs_dialogs_drop(cs_stack *stack);
/* A request within a dialog was accepted: what that changes about it (RFC 3261 section 12.2.2, RFC 6665 section 4.4.1). */
void cs_dialog_refresh(cs_stack *stack, sip_t const *request);
cs_dialog *cs_dialog_create(cs_stack *stack, cs_destination const *destination);
bool cs_is_dialog_leg(nta_leg_t const *leg);
nta_leg_t *cs_find_leg(cs_stack *stack, char const *call_id, char const *local_tag, char const *remote_tag);

/* Exchanges.c */
void cs_exchanges_drop(cs_stack *stack);
/* Sets the route of *way, which is made when it is NULL and there is one. */
void cs_way_route(cs_way **way, char const *uri);
void cs_way_release(cs_way *way);
/* Of a message of ours: it goes as a datagram, however large it is. */
enum { CS_FLAG_DATAGRAM = 1 << 13 };

/* Calls.c */
void cs_call_learn(cs_call *call, char const *call_id, char const *local_tag, char const *remote_tag);
void cs_call_free(cs_call *call);

/* Connections.c */
void cs_connection_is_used(cs_stack *stack, tport_t *connection);
void cs_connections_drop(cs_stack *stack);

/* Messages.c */
void cs_describe(cs_stack *stack, sip_t const *sip, cs_message *message);
/* Where a response came from; nothing when the library made it. */
void cs_describe_source(msg_t *response, sip_t const *sip, cs_message *message);
void cs_endpoint_from_address(cs_endpoint *endpoint, int transport, su_sockaddr_t const *address);
int cs_transport_by_name(char const *name);
void cs_local_address(cs_stack *stack, cs_endpoint *local, cs_endpoint const *source);

/* Paths.c */
void cs_path_note(cs_stack *stack, cs_endpoint const *peer, tport_t *listener);
