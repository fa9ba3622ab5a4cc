/// The load generator and the fan-out program of confd's benchmark, for confd-bench (Swift) to drive.
///
/// Everything here runs on the calling thread, over loopback, and ends by itself: every wait has a limit.
#ifndef CBENCH_H
#define CBENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "CBenchExchange.h"
#include "CBenchFiles.h"
#include "CBenchRelay.h"
#include "CBenchXMPP.h"

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
    /// The last so many participants read nothing once messages are exchanged; their sockets take as little as can be.
    unsigned stalled;
    /// Octets of the image in each message; 0: texts of 100 octets.
    unsigned picture_size;
} cbench_options;

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

/// Participants send texts of 100 octets in CPIM, or pictures in chunks of 64 KiB; a message is under way until its sender
/// has all 200s and every receiver that reads the message. New messages start for `seconds` or until `most_messages`;
/// then it waits until all arrived. Each copy is parsed, compared with what was sent octet by octet, and must be the
/// receiver's next one of that sender. False on loss, doubling, disorder. The audience of a group is always the same.
bool cbench_group_exchange(
    cbench_group *group, const cbench_exchange_options *options, cbench_exchange_result *result);

/// Serves what arrives (keep-alives, welcome texts) for a while, so that the server can come to rest.
bool cbench_group_idle(cbench_group *group, double seconds);

/// BYE for everybody, and closes the connections. Seconds taken, or -1.
double cbench_group_leave(cbench_group *group, unsigned concurrency);

/// The physical limit: MSRP framing, no SIP, no rules; session ids that begin `rN-` are in room N. A SEND from one goes
/// to all others of its room; their 200s are read and parsed; one write a connection and tick. Listens on 127.0.0.1, TLS and plain told by the first byte.
/// Prints `cfanout ready: port=N`, serves until it is killed; returns only on failure.
int cbench_fanout_serve(uint16_t port);

#endif
