/* Lays a received message out as flat values. */
#include "internal.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

int cs_transport_by_name(char const *name)
{
    if (name == NULL) return CS_UDP;
    /* "SIP/2.0/TCP" in Via, "tcp" in a transport's name */
    char const *last = strrchr(name, '/');
    if (last != NULL) name = last + 1;
    if (strcasecmp(name, "tls") == 0) return CS_TLS;
    if (strcasecmp(name, "tcp") == 0) return CS_TCP;
    return CS_UDP;
}

void cs_endpoint_from_address(cs_endpoint *endpoint, int transport, su_sockaddr_t const *address)
{
    memset(endpoint, 0, sizeof *endpoint);
    endpoint->transport = transport;
    if (address->su_family == AF_INET) {
        inet_ntop(AF_INET, &address->su_sin.sin_addr, endpoint->host, sizeof endpoint->host);
        endpoint->port = ntohs(address->su_sin.sin_port);
    } else if (address->su_family == AF_INET6) {
        struct in6_addr const *six = &address->su_sin6.sin6_addr;
        if (IN6_IS_ADDR_V4MAPPED(six))
            inet_ntop(AF_INET, &six->s6_addr[12], endpoint->host, sizeof endpoint->host);
        else
            inet_ntop(AF_INET6, six, endpoint->host, sizeof endpoint->host);
        endpoint->port = ntohs(address->su_sin6.sin6_port);
    }
}

void cs_describe_source(msg_t *response, sip_t const *sip, cs_message *message)
{
    su_sockaddr_t address[1];
    socklen_t size = sizeof address;
    if (response != NULL && msg_get_address(response, address, &size) == 0)
        cs_endpoint_from_address(
            &message->source, cs_transport_by_name(sip->sip_via ? sip->sip_via->v_protocol : NULL), address);
}

/* A wildcard listener shows the address that packets to `source` would leave from: asked of the kernel with a
 * datagram socket that is connected but never used. */
void cs_local_address(cs_stack *stack, cs_endpoint *local, cs_endpoint const *source)
{
    (void)stack;
    bool const four = strcmp(local->host, "0.0.0.0") == 0;
    if (!four && strcmp(local->host, "::") != 0) return;
    su_sockaddr_t peer[1] = {0}, own[1] = {0};
    socklen_t size = sizeof own;
    if (strchr(source->host, ':') != NULL) {
        peer->su_family = AF_INET6;
        if (inet_pton(AF_INET6, source->host, &peer->su_sin6.sin6_addr) != 1) return;
    } else {
        peer->su_family = AF_INET;
        if (inet_pton(AF_INET, source->host, &peer->su_sin.sin_addr) != 1) return;
    }
    peer->su_port = htons(9);
    int const probe = socket(peer->su_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (probe < 0) return;
    if (connect(probe, &peer->su_sa, SU_SOCKADDR_SIZE(peer)) == 0 && getsockname(probe, &own->su_sa, &size) == 0) {
        int const port = local->port, trusted = local->trusted;
        cs_endpoint_from_address(local, local->transport, own);
        local->port = port;
        local->trusted = trusted;
    }
    close(probe);
}

static char *scratch(cs_stack *stack, size_t used, size_t more)
{
    size_t const need = used + more;
    if (need > stack->scratch_size) {
        size_t size = stack->scratch_size ? stack->scratch_size : 4096;
        while (size < need) size *= 2;
        char *bigger = realloc(stack->scratch, size);
        if (bigger == NULL) return NULL;
        stack->scratch = bigger;
        stack->scratch_size = size;
    }
    return stack->scratch + used;
}

static void append(cs_stack *stack, size_t *used, char const *bytes, size_t count)
{
    char *to = scratch(stack, *used, count);
    if (to == NULL || count == 0) return;
    memcpy(to, bytes, count);
    *used += count;
}

/* Fills in what the message itself says. Everything is laid out in the scratch buffer first and pointed at last, since
 * the buffer may move while it grows. */
void cs_describe(cs_stack *stack, sip_t const *sip, cs_message *message)
{
    size_t used = 0, uri_end = 0;
    msg_header_t const *header = NULL;
    message->headers = message->uri = message->method = message->content_type = message->body = (cs_bytes){NULL, 0};

    if (sip->sip_request) {
        int const length = url_e(NULL, 0, sip->sip_request->rq_url);
        char *to = length >= 0 ? scratch(stack, 0, (size_t)length + 1) : NULL;
        if (to != NULL) {
            url_e(to, length + 1, sip->sip_request->rq_url);
            used = uri_end = (size_t)length;
        }
        header = (msg_header_t const *)sip->sip_request;
    } else if (sip->sip_status) {
        header = (msg_header_t const *)sip->sip_status;
    }
    for (header = header ? header->sh_succ : NULL; header != NULL; header = header->sh_succ) {
        if (header->sh_class == sip_separator_class || header->sh_class == sip_payload_class) break;
        if (header->sh_data != NULL) {
            append(stack, &used, header->sh_data, header->sh_len);
        } else if (header->sh_class == sip_via_class) {
            /* The transaction layer has added received and rport, so the original octets no longer stand for it. */
            char line[1024];
            issize_t const length = msg_header_e(line, sizeof line, header, 0);
            if (length > 0 && (size_t)length < sizeof line) append(stack, &used, line, (size_t)length);
        }
    }
    if (stack->scratch != NULL) {
        message->uri = (cs_bytes){(uint8_t const *)stack->scratch, uri_end};
        message->headers = (cs_bytes){(uint8_t const *)stack->scratch + uri_end, used - uri_end};
    }
    if (sip->sip_request) {
        char const *name = sip->sip_request->rq_method_name;
        message->method = (cs_bytes){(uint8_t const *)name, strlen(name)};
    }
    sip_payload_t const *payload = sip->sip_payload;
    if (payload != NULL && payload->pl_data != NULL && payload->pl_len > 0)
        message->body = (cs_bytes){(uint8_t const *)payload->pl_data, payload->pl_len};
}
