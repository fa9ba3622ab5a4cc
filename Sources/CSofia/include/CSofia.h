/*
 * A flat interface to Sofia-SIP's user agent (nua): values in, values out.
 *
 * Everything here runs on the thread that called cs_run, except cs_post, which any thread may call. No Sofia type
 * appears: pointers inside of a cs_event are valid until its callback returns and must be copied before.
 */
#pragma once

/* First, before any other header: Sofia's su_configure.h defines _GNU_SOURCE, and a translation unit that imports this
 * module together with another one would otherwise see two definitions of fd_set, depending on the import order. */
#include <sys/select.h>

#include <stddef.h>
#include <stdint.h>

#pragma clang assume_nonnull begin

typedef struct cs_stack cs_stack;
typedef struct cs_call cs_call;
typedef struct cs_transaction cs_transaction;
typedef struct cs_exchange cs_exchange;
typedef struct cs_dialog cs_dialog;
typedef struct cs_timer cs_timer;

enum { CS_UDP = 0, CS_TCP = 1, CS_TLS = 2 };

enum { CS_HOST_SIZE = 64 };

/* A transport address. IPv6 without brackets. */
typedef struct {
    int transport;
    int port;
    char host[CS_HOST_SIZE];
    int trusted; /* of a listener: peers show a certificate that is verified */
} cs_endpoint;

typedef struct {
    const uint8_t *_Nullable bytes;
    size_t count;
} cs_bytes;

/* A received message. */
typedef struct {
    cs_bytes method;
    cs_bytes uri;     /* of a request */
    cs_bytes headers; /* header lines as received, without start line */
    cs_bytes content_type;
    cs_bytes body;
    cs_endpoint source; /* port 0: unknown */
    cs_endpoint local;
    cs_bytes local_tag;  /* ours, of a request that may make a dialog */
    cs_bytes peer_names; /* those of a verified certificate, one a line */
} cs_message;

typedef enum {
    CS_INVITE,        /* call, transaction, message: a new call */
    CS_REINVITE,      /* call, transaction, message */
    CS_UPDATE,        /* call, transaction, message */
    CS_ACK,           /* call, message */
    CS_CANCEL,        /* call */
    CS_BYE,           /* call, message */
    CS_ACK_TIMEOUT,   /* call: no ACK came; the library sends BYE */
    CS_REQUEST,       /* transaction, message; id: of the call it is within, dialog_id: of the dialog */
    CS_RESPONSE,      /* call, status, phrase, method; message when a peer sent it */
    CS_ANSWER,        /* id of the exchange, status, phrase; message when a peer sent it */
    CS_TERMINATED,    /* call, status, phrase: the call is over, its cs_call is gone when the callback returns */
    CS_TIMER,         /* id */
    CS_JOBS,          /* cs_post was called */
    CS_STOPPED,       /* cs_shut_down is done, cs_run returns next */
} cs_event_kind;

typedef struct {
    cs_event_kind kind;
    uint64_t id; /* of the call, or of the exchange or timer */
    uint64_t dialog_id;
    cs_call *_Nullable call;
    uint64_t transaction_id;
    cs_transaction *_Nullable transaction;
    int status;
    const char *_Nullable phrase;
    const char *_Nullable method;
    const cs_message *_Nullable message;
} cs_event;

typedef void cs_event_handler(void *_Nullable context, const cs_event *event);
/* Seconds that a source has to wait before a request of its own outside of all dialogs is looked at; 0: none. */
typedef unsigned cs_screen(void *_Nullable context, const cs_endpoint *_Nonnull source);
typedef void cs_log_handler(void *_Nullable context, int level, const char *line);
/* Called once, on the thread of cs_run, when the stack is open, or could not be opened (stack is NULL). failed_listener
 * is the index of the listener that could not be opened, or -1. */
typedef void cs_started_handler(
    void *_Nullable context, cs_stack *_Nullable stack, int failed_listener, const char *_Nullable reason);

typedef struct {
    const cs_endpoint *_Nullable listeners;
    size_t listener_count;
    const char *_Nullable certificate_directory; /* agent.pem (with its chain), cafile.pem (who vouches for peers) */
    int verifies_peers; /* that we connect to over TLS: chain and name */
    const char *_Nullable product;
    const char *_Nullable allow;
    const char *_Nullable supported;  /* without "timer", which the library shall not know of */
    const char *_Nullable understood; /* every option tag that may be required */
    const char *_Nullable allow_events;
    const char *_Nullable accept;
    unsigned minimum_session_expires; /* seconds; 0 = any */
    unsigned maximum_message_size;
    unsigned maximum_pending;
    unsigned maximum_calls;
    unsigned maximum_dialogs;
    unsigned maximum_connections;
    unsigned silent_connection_life; /* ms until the first request, and for each message to arrive */
    unsigned idle_connection_life;   /* ms */
    unsigned t1;         /* ms, RFC 3261 timer T1 */
    unsigned t1x64;      /* ms, 64*T1 */
    int log_level;       /* Sofia's, 0...9 */
    void *_Nullable context;
    cs_event_handler *_Nullable on_event;
    cs_screen *_Nullable on_arrival;
    cs_log_handler *_Nullable on_log;
    cs_started_handler *_Nullable on_started;
} cs_configuration;

/* Opens the stack, runs it until cs_shut_down is done, and closes it. */
void cs_run(const cs_configuration *configuration);

/* The listeners with their actual addresses and ports, in the order of the configuration. */
size_t cs_listener_count(const cs_stack *stack);
cs_endpoint cs_listener(const cs_stack *stack, size_t index);

/* Makes CS_JOBS arrive on the stack's thread. The only function for any thread; cs_run must not have returned. */
void cs_post(cs_stack *stack);

/* Starts to shut down: calls end without BYE. CS_STOPPED follows within `limit` ms. */
void cs_shut_down(cs_stack *stack, unsigned limit);

/* What goes out with a request or a response. Strings end in NUL, headers are lines that end in CRLF. */
typedef struct {
    const char *_Nullable contact;
    const char *_Nullable headers;
    /* Single lines without line end, which the library passes on without understanding them: what concerns session
     * timers, so that it does not start its own. */
    const char *_Nullable opaque_headers[4];
    const char *_Nullable content_type;
    cs_bytes body;
} cs_content;

/* Answers; after a final response (>= 200) the transaction is gone. */
void cs_respond(cs_transaction *transaction, int status, const char *_Nullable phrase, const cs_content *content);
/* Forgets a transaction that the library has answered itself. */
void cs_transaction_discard(cs_transaction *transaction);

typedef struct {
    const char *target;
    const char *from;
    const char *to;
    const char *_Nullable route;   /* a URI */
    const char *_Nullable call_id; /* goes on with a call that was challenged ... */
    uint32_t sequence;             /* ... and the CSeq after this one */
} cs_destination;

cs_call *_Nullable cs_invite(cs_stack *stack, const cs_destination *destination, const cs_content *content);
void cs_ack(cs_call *call, const cs_content *content);
void cs_cancel(cs_call *call);
void cs_bye(cs_call *call, const cs_content *content);
void cs_reinvite(cs_call *call, const cs_content *content);
void cs_update(cs_call *call, const cs_content *content);
/* Where later requests of the call go whatever the Contact says; NULL: where the dialog says. */
void cs_route(cs_call *call, const char *_Nullable uri);
uint64_t cs_call_id(const cs_call *call);

/* The call whose dialog has these, or 0. */
uint64_t cs_find_call(cs_stack *stack, const char *call_id, const char *local_tag, const char *remote_tag);

/* A request outside of calls; CS_ANSWER follows, with a status >= 200 last. */
cs_exchange *_Nullable cs_send(
    cs_stack *stack, const char *method, const cs_destination *destination, const cs_content *content);
/* Requests within a call's dialog or a dialog of its own, likewise. NULL: there is no such dialog (yet). */
cs_exchange *_Nullable cs_send_in_call(cs_call *call, const char *method, const cs_content *content);
cs_exchange *_Nullable cs_send_in_dialog(cs_dialog *dialog, const char *method, const cs_content *content);
uint64_t cs_exchange_id(const cs_exchange *exchange);

/* Answers a request that is within no call and no dialog with a 2xx that makes a dialog. NULL, and the transaction is
 * left alone: it cannot. The dialog exists until it is closed. */
cs_dialog *_Nullable cs_accept(cs_transaction *transaction, int status, const cs_content *content);
/* Keeps what an exchange of cs_send has begun, for the requests that it leads to; call it before the answer. */
cs_dialog *cs_exchange_keep(cs_exchange *exchange);
uint64_t cs_dialog_id(const cs_dialog *dialog);
/* See cs_route. */
void cs_dialog_route(cs_dialog *dialog, const char *_Nullable uri);
void cs_dialog_close(cs_dialog *dialog);

cs_timer *_Nullable cs_timer_start(cs_stack *stack, uint64_t id, unsigned milliseconds);
void cs_timer_cancel(cs_timer *timer);

/* Why TLS cannot be spoken with the certificate and the key in `file`, or NULL. For any thread. */
const char *_Nullable cs_certificate_problem(const char *file);

/* How many requests the guards refused so far, over all stacks. */
uint64_t cs_guard_refusals(void);

#pragma clang assume_nonnull end
