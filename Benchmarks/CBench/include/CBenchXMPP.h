/// The load generator for XMPP servers: the members of one group chat (XEP-0045).
#ifndef CBENCH_XMPP_H
#define CBENCH_XMPP_H

#include "CBenchExchange.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct cbench_xmpp cbench_xmpp;

/// Plain TCP to 127.0.0.1; everybody logs in with SASL ANONYMOUS.
typedef struct {
    uint16_t port;
    /// Of the clients, and the room's address without resource.
    const char *domain, *room;
    unsigned members;
} cbench_xmpp_options;

/// NULL and a text in `error` when it cannot be made.
cbench_xmpp *cbench_xmpp_create(const cbench_xmpp_options *options, char *error, size_t error_size);
void cbench_xmpp_destroy(cbench_xmpp *xmpp);

/// The text of the last failure.
const char *cbench_xmpp_error(const cbench_xmpp *xmpp);

/// Connects, logs in and joins everybody, `concurrency` at a time, without history. False when one doesn't get in.
bool cbench_xmpp_join(cbench_xmpp *xmpp, unsigned concurrency);

/// Member 0 says texts of 100 bytes, `window` at a time; one is under way until all members, itself among them, have
/// it. Each copy is parsed, compared with what was sent, and must be the receiver's next one.
bool cbench_xmpp_exchange(
    cbench_xmpp *xmpp, unsigned window, double seconds, uint64_t most_messages, cbench_exchange_result *result);

/// Reads what arrives for a while.
bool cbench_xmpp_idle(cbench_xmpp *xmpp, double seconds);

#endif
