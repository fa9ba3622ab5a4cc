/* What the files of the shim share. */
#pragma once
#include "CSofia.h"

#include <pthread.h>
#include <stdbool.h>

struct cs_magic;
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

/* What a nua handle's magic points to: a call or an exchange. */
typedef struct cs_magic {
    enum { CS_MAGIC_CALL, CS_MAGIC_EXCHANGE } kind;
    uint64_t id;
    cs_stack *stack;
    nua_handle_t *handle;
} cs_magic;

struct cs_call {
    cs_magic magic;
    bool terminated;
};

struct cs_exchange {
    cs_magic magic;
    char *method;
};

/* A request that waits for its answer: one that nua holds (`message` tells which), or one held at the transaction
 * layer (`irq`). */
struct cs_transaction {
    uint64_t id;
    cs_stack *stack;
    nua_handle_t *handle;
    msg_t *message;
    nta_incoming_t *irq;
    uint64_t call_id;
    bool adds_contact;
    cs_endpoint source, local;
    cs_transaction *next, *previous;
};

/* Where a request that nua has taken came from: the transport knows it only while it delivers, nua's event comes
 * later. */
typedef struct {
    const msg_t *message;
    cs_endpoint source, local;
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

/* Connections.c */
void cs_connection_is_used(cs_stack *stack, tport_t *connection);
void cs_connections_drop(cs_stack *stack);

/* Messages.c */
void cs_describe(cs_stack *stack, sip_t const *sip, cs_message *message);
void cs_endpoint_from_address(cs_endpoint *endpoint, int transport, su_sockaddr_t const *address);
int cs_transport_by_name(char const *name);
void cs_local_address(cs_stack *stack, cs_endpoint *local, cs_endpoint const *source);

/* Paths.c */
void cs_path_note(cs_stack *stack, cs_endpoint const *peer, tport_t *listener);
