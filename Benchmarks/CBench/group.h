/// What the two halves of the load generator (its SIP and its MSRP) share.
#ifndef CBENCH_GROUP_H
#define CBENCH_GROUP_H

#include "CBench.h"
#include "link.h"
#include "text.h"
#include "wire.h"

enum { longest_uri = 256, most_senders = 64, most_window = 1024 };

typedef enum { OUTSIDE, INVITING, JOINED, BINDING, BOUND, LEAVING, LEFT } participant_state;

typedef struct {
    link_t link;
    participant_state state;
    bool dirty, writing, stalled;
    unsigned index, room;
    /// When the last INVITE or BYE was sent, and how often.
    double sent_at;
    unsigned attempts;
    char to_tag[128];
    char contact[longest_uri];
    char local_path[longest_uri], remote_path[longest_uri];
    char remote_host[64];
    uint16_t remote_port;
    /// The number of the next message of each sender.
    uint64_t next[most_senders];
    /// Octets of the picture under way that have come.
    uint64_t picture_offset;
    /// Of a message that is not whole yet, octets that hold no end-line.
    size_t scanned;
} participant;

typedef struct {
    uint64_t started, completed;
    /// Deliveries and the sender's own 200s that are still missing, by message number modulo `most_window`.
    unsigned missing[most_window];
    double started_at[most_window];
} sender_state;

struct cbench_group {
    cbench_options options;
    char domain[128], room_prefix[64], sip_host[64], msrp_host[64], nonce[17];
    char error[512];
    int poll, udp;
    uint16_t udp_port;
    bool failed;
    gnutls_certificate_credentials_t credentials;
    participant *participants;
    participant **dirty;
    unsigned dirty_count;
    unsigned joined, bound, left;
    sender_state senders[most_senders];
    unsigned sender_count;
    cbench_audience audience;
    bool has_exchanged;
    /// What is before the content of a picture, and the content.
    char picture_head[512];
    size_t picture_head_size;
    const char *picture;
    latency_counts latencies;
    uint64_t deliveries, progress;
};

double now_seconds(void);

/// Notes the first failure; always false.
bool fail(cbench_group *group, const char *format, ...) __attribute__((format(printf, 2, 3)));

void mark_dirty(cbench_group *group, participant *participant);

/// The participant that is sender number `slot`.
participant *sender_at(cbench_group *group, unsigned slot);

/// Sends the next message of a sender: a text or a picture. `missing` is set when it is under way.
bool msrp_send(cbench_group *group, unsigned slot, unsigned receivers, double started_at);
bool msrp_bind(cbench_group *group, participant *participant);
/// Reads once and takes all that is whole.
bool msrp_readable(cbench_group *group, participant *participant);

/// One wait and what follows from it: SIP, MSRP, one write a connection.
bool pump(cbench_group *group, int milliseconds);

/// The value of the first header field of this name (long or compact form), NULL when there is none.
const char *sip_field(const char *message, const char *name, const char *compact, size_t *length);
/// The 200 to a request. The size, or 0 when the request is not one to answer.
int sip_put_ok(const char *request, char *out, size_t capacity);

bool sip_open(cbench_group *group);
bool sip_invite(cbench_group *group, participant *participant);
bool sip_bye(cbench_group *group, participant *participant);
bool sip_receive(cbench_group *group);
/// Sends again what stayed without an answer for half a second (T1, RFC 3261 section 17.1.1.1).
bool sip_retransmit(cbench_group *group);

#endif
