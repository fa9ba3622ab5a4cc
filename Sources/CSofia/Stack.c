/* The library's loop, its listeners, and its events. */
#include "internal.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

static pthread_key_t current_key;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool has_guards;

cs_stack *cs_current_stack(void) { return pthread_getspecific(current_key); }

static void log_line(void *ignored, char const *format, va_list arguments)
{
    (void)ignored;
    cs_stack *stack = cs_current_stack();
    char line[1024];
    vsnprintf(line, sizeof line, format, arguments);
    size_t length = strlen(line);
    while (length > 0 && (line[length - 1] == '\n' || line[length - 1] == '\r')) line[--length] = '\0';
    if (stack != NULL && length > 0)
        stack->configuration->on_log(stack->configuration->context, 0, line);
}

extern su_log_t nua_log[], nta_log[], tport_log[], nea_log[], iptsec_log[], sresolv_log[], soa_log[], stun_log[];

static void initialize(void)
{
    pthread_key_create(&current_key, NULL);
    su_init();
    su_log_redirect(NULL, log_line, NULL);
    /* Parses P-Asserted-Identity and other extension headers. */
    sip_update_default_mclass(sip_extend_mclass(NULL));
    has_guards = cs_install_guards();
}

static void set_log_level(int level)
{
    su_log_t *logs[] = {su_log_default, nua_log, nta_log, tport_log, nea_log, iptsec_log, sresolv_log, soa_log,
                        stun_log};
    for (size_t index = 0; index < sizeof logs / sizeof logs[0]; index++) su_log_set_level(logs[index], level);
}

/* ---- listeners ---- */

/* Certificates between a peer's and one that we trust. */
enum { LONGEST_CHAIN = 8 };

typedef int add_transport_function(nta_agent_t *, url_string_t const *, tag_type_t, tag_value_t, ...);
static __thread cs_stack *starting;

bool cs_is_starting(void) { return starting != NULL; }

static int add_listener(cs_stack *stack, nta_agent_t *agent, size_t index, add_transport_function *add)
{
    static char const *const names[] = {"udp", "tcp", "tls"};
    cs_endpoint const *wanted = &stack->configuration->listeners[index];
    bool const six = strchr(wanted->host, ':') != NULL;
    char url[CS_HOST_SIZE + 64], port[8] = "*";
    if (wanted->port != 0) snprintf(port, sizeof port, "%d", wanted->port);
    snprintf(url, sizeof url, "%s:%s%s%s:%s;transport=%s", wanted->transport == CS_TLS ? "sips" : "sip",
             six ? "[" : "", wanted->host, six ? "]" : "", port, names[wanted->transport]);

    enum { MOST = 256 };
    tport_t *before[MOST];
    size_t count = 0;
    for (tport_t *tport = tport_primaries(nta_agent_tports(agent)); tport != NULL && count < MOST;
         tport = tport_next(tport))
        before[count++] = tport;

    char const *directory = stack->configuration->certificate_directory;
    /* A connection that peers made is verified on listeners for trusted peers only; a listener that asks for a
     * certificate refuses who has none. */
    unsigned const policy = (wanted->trusted ? TPTLS_VERIFY_IN : 0)
        | (stack->configuration->verifies_peers ? TPTLS_VERIFY_SUBJECTS_OUT : 0);
    su_seterrno(0);
    errno = 0;
    int const failed = add(agent, (url_string_t *)url,
                           TPTAG_SERVER(1),
                           TPTAG_REUSE(1),
                           TAG_IF(directory != NULL, TPTAG_CERTIFICATE(directory)),
                           TAG_IF(policy != 0, TPTAG_TLS_VERIFY_POLICY(policy)),
                           TAG_IF(policy != 0, TPTAG_TLS_VERIFY_DEPTH(LONGEST_CHAIN)),
                           TPTAG_PONG2PING(1),
                           TPTAG_QUEUESIZE(256),
                           /* The kernel takes what it allows: a burst of calls must fit. */
                           TPTAG_UDP_RMEM(4 * 1024 * 1024),
                           TPTAG_UDP_WMEM(4 * 1024 * 1024),
                           TAG_END());
    tport_t *opened = NULL;
    for (tport_t *tport = tport_primaries(nta_agent_tports(agent)); tport != NULL; tport = tport_next(tport)) {
        size_t known = 0;
        while (known < count && before[known] != tport) known++;
        if (known == count) opened = tport;
    }
    if (failed < 0 || opened == NULL) {
        int const code = su_errno() ? su_errno() : errno;
        stack->failed_listener = (int)index;
        snprintf(stack->failure, sizeof stack->failure, "%s", code ? su_strerror(code) : "cannot be opened");
        return -1;
    }
    tp_name_t const *name = tport_name(opened);
    cs_endpoint *bound = &stack->bound[index];
    bound->transport = wanted->transport;
    bound->port = atoi(name->tpn_port);
    snprintf(bound->host, sizeof bound->host, "%s", name->tpn_host);
    stack->listeners[index] = *wanted;
    stack->listeners[index].port = bound->port;
    return 0;
}

/* Interposed: nua opens the one or two addresses it knows of through this. It takes one, and where it does, all that
 * are configured are opened, one transport a call. */
int nta_agent_add_tport(nta_agent_t *agent, url_string_t const *uri, tag_type_t tag, tag_value_t value, ...)
{
    static add_transport_function *add;
    if (add == NULL) add = (add_transport_function *)dlsym(RTLD_NEXT, "nta_agent_add_tport");
    if (add == NULL) return -1;
    cs_stack *stack = starting;
    if (stack == NULL) {
        ta_list list;
        ta_start(list, tag, value);
        int const result = add(agent, uri, ta_tags(list));
        ta_end(list);
        return result;
    }
    if (stack->agent != NULL) return stack->failed_listener < 0 ? 0 : -1;
    stack->agent = agent;
    for (size_t index = 0; index < stack->configuration->listener_count; index++)
        if (add_listener(stack, agent, index, add) < 0) return -1;
    return 0;
}

size_t cs_listener_count(const cs_stack *stack) { return stack->listener_count; }
cs_endpoint cs_listener(const cs_stack *stack, size_t index) { return stack->listeners[index]; }

/* ---- events ---- */

static void emit(cs_stack *stack, cs_event const *event)
{
    stack->configuration->on_event(stack->configuration->context, event);
}

/* The only place where a handle is destroyed: its usage is gone, or it never had one. */
static void forget(cs_stack *stack, cs_call *call)
{
    nua_handle_t *handle = call->magic.handle;
    nua_handle_bind(handle, NULL);
    nua_handle_destroy(handle);
    stack->calls--;
    cs_call_free(call);
}

static cs_bytes text_bytes(char const *text)
{
    return text != NULL ? (cs_bytes){(uint8_t const *)text, strlen(text)} : (cs_bytes){NULL, 0};
}

static void describe_request(cs_stack *stack, msg_t *request, sip_t const *sip, cs_message *message)
{
    memset(message, 0, sizeof *message);
    for (unsigned back = 1; back <= CS_ARRIVALS; back++) {
        cs_arrival const *arrival = &stack->arrivals[(stack->next_arrival - back) % CS_ARRIVALS];
        if (arrival->message == NULL) break;
        if (arrival->message == request) {
            message->source = arrival->source;
            message->local = arrival->local;
            message->local_tag = text_bytes(arrival->local_tag);
            message->peer_names = text_bytes(arrival->peer_names);
            break;
        }
    }
    cs_describe(stack, sip, message);
}

static void describe_response(cs_stack *stack, msg_t *response, sip_t const *sip, cs_message *message)
{
    memset(message, 0, sizeof *message);
    cs_describe_source(response, sip, message);
    cs_describe(stack, sip, message);
}

static cs_transaction *keep(cs_stack *stack, nua_handle_t *handle, uint64_t call_id, cs_message const *message)
{
    cs_transaction *transaction = calloc(1, sizeof *transaction);
    if (transaction == NULL) return NULL;
    transaction->handle = nua_handle_ref(handle);
    transaction->message = msg_ref_create(nua_current_request(stack->nua));
    transaction->call_id = call_id;
    transaction->source = message->source;
    transaction->local = message->local;
    cs_transaction_link(stack, transaction);
    return transaction;
}

static void on_request(cs_stack *stack, nua_handle_t *handle, cs_call *call, cs_event_kind kind, sip_t const *sip)
{
    cs_message message;
    describe_request(stack, nua_current_request(stack->nua), sip, &message);
    if (kind == CS_INVITE)
        cs_call_learn(call, sip->sip_call_id->i_id, (char const *)message.local_tag.bytes, sip->sip_from->a_tag);
    cs_event event = {.kind = kind, .call = call, .id = call->magic.id, .message = &message};
    if (kind == CS_INVITE || kind == CS_REINVITE || kind == CS_UPDATE) {
        event.transaction = keep(stack, handle, call->magic.id, &message);
        if (event.transaction == NULL) return;
        event.transaction_id = event.transaction->id;
    }
    emit(stack, &event);
}

static cs_call *adopt(cs_stack *stack, nua_handle_t *handle)
{
    cs_call *call = calloc(1, sizeof *call);
    if (call == NULL) return NULL;
    call->magic.id = ++stack->last_id;
    call->magic.stack = stack;
    call->magic.handle = handle;
    stack->calls++;
    nua_handle_bind(handle, &call->magic);
    return call;
}

static void on_call_response(cs_stack *stack, cs_call *call, char const *method, int status, char const *phrase,
                             sip_t const *sip)
{
    cs_message message;
    cs_event event = {
        .kind = CS_RESPONSE, .call = call, .id = call->magic.id, .status = status, .phrase = phrase, .method = method,
    };
    if (sip != NULL && sip->sip_status != NULL) {
        describe_response(stack, nua_current_request(stack->nua), sip, &message);
        event.message = &message;
    }
    emit(stack, &event);
}

static void on_event(nua_event_t kind, int status, char const *phrase, nua_t *nua, cs_stack *stack,
                     nua_handle_t *handle, cs_magic *magic, sip_t const *sip, tagi_t tags[])
{
    (void)nua, (void)tags;
    if (kind == nua_r_shutdown) {
        if (status >= 200 && !stack->stopped) {
            stack->stopped = true;
            stack->shut_down_cleanly = true;
            cs_event const event = {.kind = CS_STOPPED};
            emit(stack, &event);
            su_root_break(stack->root);
        }
        return;
    }
    if (handle == NULL) return;
    cs_call *call = (cs_call *)magic;

    switch (kind) {
    case nua_i_invite:
        if (sip == NULL || status >= 200) break;
        if (call == NULL) {
            call = adopt(stack, handle);
            if (call == NULL) break;
            on_request(stack, handle, call, CS_INVITE, sip);
        } else {
            on_request(stack, handle, call, CS_REINVITE, sip);
        }
        break;
    case nua_i_update:
        if (call != NULL && sip != NULL && status < 200) on_request(stack, handle, call, CS_UPDATE, sip);
        break;
    case nua_i_ack:
        if (call != NULL && sip != NULL) on_request(stack, handle, call, CS_ACK, sip);
        break;
    case nua_i_cancel:
        if (call != NULL) {
            cs_event const event = {.kind = CS_CANCEL, .call = call, .id = call->magic.id};
            emit(stack, &event);
        }
        break;
    case nua_i_bye:
        if (call != NULL && sip != NULL) on_request(stack, handle, call, CS_BYE, sip);
        break;
    case nua_i_error:
        if (call != NULL && status == 408) {
            cs_event const event = {.kind = CS_ACK_TIMEOUT, .call = call, .id = call->magic.id, .status = status};
            emit(stack, &event);
        }
        break;
    case nua_r_invite:
        if (call != NULL && status >= 200 && status < 300 && sip != NULL && sip->sip_from != NULL
            && sip->sip_to != NULL && sip->sip_call_id != NULL)
            cs_call_learn(call, sip->sip_call_id->i_id, sip->sip_from->a_tag, sip->sip_to->a_tag);
        if (call != NULL) on_call_response(stack, call, "INVITE", status, phrase, sip);
        break;
    case nua_r_update:
        if (call != NULL) on_call_response(stack, call, "UPDATE", status, phrase, sip);
        break;
    case nua_r_bye:
        if (call != NULL) on_call_response(stack, call, "BYE", status, phrase, sip);
        break;
    case nua_i_terminated:
        if (call != NULL && !call->terminated) {
            call->terminated = true;
            cs_event const event = {.kind = CS_TERMINATED, .call = call, .id = call->magic.id, .status = status,
                                    .phrase = phrase};
            emit(stack, &event);
            forget(stack, call);
        } else if (magic == NULL) {
            /* A call that ended before the application heard of it. */
            nua_handle_destroy(handle);
        }
        break;
    default:
        break;
    }
}

/* ---- loop ---- */

struct cs_note {
    cs_stack *stack;
};

static void on_jobs(cs_stack *stack, su_msg_r message, struct cs_note *note)
{
    (void)message;
    stack = note->stack;
    cs_event const event = {.kind = CS_JOBS};
    emit(stack, &event);
}

void cs_post(cs_stack *stack)
{
    su_msg_r message = SU_MSG_R_INIT;
    if (su_msg_create(message, stack->task, su_task_null, on_jobs, sizeof(struct cs_note)) != 0) return;
    su_msg_data(message)->stack = stack;
    su_msg_send(message);
}

static void on_shutdown_limit(cs_stack *stack, su_timer_t *timer, cs_timer *ignored)
{
    (void)timer, (void)ignored;
    if (stack->stopped) return;
    stack->stopped = true;
    cs_event const event = {.kind = CS_STOPPED};
    emit(stack, &event);
    su_root_break(stack->root);
}

void cs_shut_down(cs_stack *stack, unsigned limit)
{
    if (stack->shutting_down) return;
    stack->shutting_down = true;
    for (cs_transaction *transaction = stack->transactions; transaction != NULL;) {
        cs_transaction *next = transaction->next;
        if (transaction->irq != NULL)
            cs_respond(transaction, 503, NULL, &(cs_content){0});
        transaction = next;
    }
    cs_transactions_drop(stack);
    /* The library's agent is gone when it has shut down. What is on its way is still sent again and answered, but
     * nobody hears of it. */
    cs_exchanges_drop(stack);
    cs_dialogs_drop(stack);
    stack->shutdown_timer = su_timer_create(stack->task, limit);
    if (stack->shutdown_timer != NULL) su_timer_set(stack->shutdown_timer, on_shutdown_limit, NULL);
    nua_shutdown(stack->nua);
}

static void on_timer(cs_stack *stack, su_timer_t *su_timer, cs_timer *timer)
{
    (void)stack, (void)su_timer;
    cs_event const event = {.kind = CS_TIMER, .id = timer->id};
    cs_stack *owner = timer->stack;
    cs_timer_cancel(timer);
    emit(owner, &event);
}

cs_timer *cs_timer_start(cs_stack *stack, uint64_t id, unsigned milliseconds)
{
    cs_timer *timer = calloc(1, sizeof *timer);
    if (timer == NULL) return NULL;
    timer->id = id;
    timer->stack = stack;
    /* A timer without a duration is a failed assertion in the library. */
    timer->timer = su_timer_create(stack->task, milliseconds > 0 ? milliseconds : 1);
    if (timer->timer == NULL || su_timer_set(timer->timer, on_timer, timer) < 0) {
        su_timer_destroy(timer->timer);
        free(timer);
        return NULL;
    }
    return timer;
}

void cs_timer_cancel(cs_timer *timer)
{
    su_timer_destroy(timer->timer);
    free(timer);
}

static void open_stack(cs_stack *stack)
{
    cs_configuration const *configuration = stack->configuration;
    stack->understood = sip_supported_make(stack->home, configuration->understood);
    starting = stack;
    stack->nua = nua_create(
        stack->root, on_event, stack,
        NUTAG_URL("sip:127.0.0.1:*"), /* see nta_agent_add_tport */
        NUTAG_MEDIA_ENABLE(0),
        NUTAG_AUTOANSWER(0),
        NUTAG_AUTOALERT(0),
        NUTAG_AUTOACK(0),
        NUTAG_SIP_PARSER(sip_default_mclass()),
        SIPTAG_ALLOW_STR(configuration->allow),
        NUTAG_APPL_METHOD("UPDATE"),
        /* An empty list would be an empty header, which RFC 6665 has no syntax for. */
        TAG_IF(configuration->allow_events != NULL && configuration->allow_events[0] != 0,
               NUTAG_ALLOW_EVENTS(configuration->allow_events)),
        SIPTAG_SUPPORTED_STR(configuration->supported),
        SIPTAG_USER_AGENT_STR(configuration->product),
        /* Session timers are the application's; see nua_stack_process_request. */
        NUTAG_SESSION_TIMER(0),
        NUTAG_MIN_SE(0),
        NUTAG_SESSION_REFRESHER(nua_no_refresher),
        /* Keeps each header's octets as received, which is what the application is shown. */
        NTATAG_SIPFLAGS(MSG_DO_CANONIC | MSG_DO_EXTRACT_COPY),
        NTATAG_MAXSIZE(configuration->maximum_message_size),
        NTATAG_SIP_T1(configuration->t1),
        NTATAG_SIP_T1X64(configuration->t1x64),
        NTATAG_TCP_RPORT(1),
        NTATAG_TLS_RPORT(1),
        TAG_END());
    starting = NULL;
}

void cs_run(const cs_configuration *configuration)
{
    pthread_once(&once, initialize);
    prctl(PR_SET_NAME, "sip");
    cs_stack *stack = calloc(1, sizeof *stack);
    if (stack == NULL) {
        configuration->on_started(configuration->context, NULL, -1, "out of memory");
        return;
    }
    su_home_init(stack->home);
    stack->configuration = configuration;
    stack->listener_count = configuration->listener_count;
    stack->failed_listener = -1;
    stack->listeners = calloc(stack->listener_count + 1, sizeof *stack->listeners);
    stack->bound = calloc(stack->listener_count + 1, sizeof *stack->bound);
    pthread_setspecific(current_key, stack);
    set_log_level(configuration->log_level);

    stack->root = su_root_create(stack);
    if (stack->root != NULL && stack->listeners != NULL && stack->bound != NULL) {
        su_root_threading(stack->root, 0);
        su_task_copy(stack->task, su_root_task(stack->root));
        open_stack(stack);
    }
    /* Without the guards one packet ends the process: better not to start. */
    bool const is_guarded = has_guards && stack->agent != NULL;
    if (stack->nua != NULL && is_guarded) {
        configuration->on_started(configuration->context, stack, -1, NULL);
        su_root_run(stack->root);
    } else {
        configuration->on_started(configuration->context, NULL, stack->failed_listener,
                                  stack->failure[0] ? stack->failure
                                  : stack->nua != NULL ? "the guards around the SIP library are not in place"
                                                       : "the library did not start");
    }
    cs_transactions_drop(stack);
    cs_connections_drop(stack);
    if (stack->shutdown_timer != NULL) su_timer_destroy(stack->shutdown_timer);
    if (stack->nua != NULL && is_guarded) {
        /* When the library had no time to shut down, nua_destroy leaves it as it is: at least the ports are freed. */
        if (!stack->shut_down_cleanly) nta_agent_close_tports(stack->agent);
        nua_destroy(stack->nua);
    }
    if (stack->root != NULL) {
        su_task_deinit(stack->task);
        su_root_destroy(stack->root);
    }
    pthread_setspecific(current_key, NULL);
    su_home_deinit(stack->home);
    for (unsigned index = 0; index < CS_ARRIVALS; index++) free(stack->arrivals[index].peer_names);
    free(stack->listeners);
    free(stack->bound);
    free(stack->scratch);
    free(stack->paths);
    free(stack);
}
