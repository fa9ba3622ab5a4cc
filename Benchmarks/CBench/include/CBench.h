/// The load generator and the fan-out program of confd's benchmark, for confd-bench (Swift) to drive.
///
/// Everything here runs on the calling thread, over loopback, and ends by itself: every wait has a limit.
#ifndef CBENCH_H
#define CBENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "CBenchRelay.h"

/// A group of participants that live in one or several rooms of one server.
typedef struct cbench_group cbench_group;

/// Who joins where. Addresses are numeric IPv4.
typedef struct {
    /// SIP over UDP; port 0 leaves SIP out: participants then connect to `msrp_port` under session ids of their own.
    const char *sip_host;
    uint16_t sip_port;
    /// Used only without SIP.
    const char *msrp_host;
    uint16_t msrp_port;
    /// The domain of the room URIs and of the participants.
    const char *domain;
    /// Rooms are called PREFIX0, PREFIX1, ...
    const char *room_prefix;
    unsigned participants;
    unsigned per_room;
    bool tls;
} cbench_options;

/// What one exchange did.
typedef struct {
    /// SENDs that reached a participant and were answered.
    uint64_t deliveries;
    /// Messages sent to the room.
    uint64_t messages;
    double seconds;
} cbench_exchange_result;

/// Raises the descriptor limit to the hard limit; returns it.
uint64_t cbench_raise_descriptor_limit(void);

/// NULL and a text in `error` when the group cannot be made.
cbench_group *cbench_group_create(const cbench_options *options, char *error, size_t error_size);
void cbench_group_destroy(cbench_group *group);

/// The text of the last failure.
const char *cbench_group_error(const cbench_group *group);

/// INVITE, 200, ACK for everybody, at most `concurrency` at a time. Seconds taken, or -1.
double cbench_group_join(cbench_group *group, unsigned concurrency);

/// Connects everybody and binds with the empty SEND (RFC 4975 section 5.4). Seconds taken, or -1.
double cbench_group_connect(cbench_group *group);

/// `senders` participants of the first room send texts of 100 bytes in CPIM, each with `window` messages
/// outstanding; a message is outstanding until its sender has the 200 and every other participant the message.
/// New messages start for `seconds` or until `most_messages`; then it waits until all arrived. Each copy is parsed,
/// compared with what was sent, and must be the receiver's next one of that sender. False on loss, doubling, disorder.
bool cbench_group_exchange(
    cbench_group *group, unsigned senders, unsigned window, double seconds, uint64_t most_messages,
    cbench_exchange_result *result);

/// Serves what arrives (keep-alives, welcome texts) for a while, so that the server can come to rest.
bool cbench_group_idle(cbench_group *group, double seconds);

/// BYE for everybody, and closes the connections. Seconds taken, or -1.
double cbench_group_leave(cbench_group *group, unsigned concurrency);

/// The physical limit: one room, MSRP framing, no SIP, no rules. A SEND from one goes to all others; their 200s are
/// read and parsed; one write a connection and tick. Listens on 127.0.0.1, TLS and plain told by the first byte.
/// Prints `cfanout ready: port=N`, serves until it is killed; returns only on failure.
int cbench_fanout_serve(uint16_t port);

#endif
