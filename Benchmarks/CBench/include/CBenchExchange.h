/// What the load generators are asked to send, and what came of it.
#ifndef CBENCH_EXCHANGE_H
#define CBENCH_EXCHANGE_H

#include <stdint.h>

typedef enum {
    /// `senders` participants of the first room to the whole room.
    CBENCH_TO_ROOM,
    /// One participant of each room to its room.
    CBENCH_IN_EACH_ROOM,
    /// The first participant of the first room to each of the others in turn, privately.
    CBENCH_PRIVATELY,
} cbench_audience;

typedef struct {
    cbench_audience audience;
    /// For CBENCH_TO_ROOM.
    unsigned senders;
    /// Messages of a sender that may be under way.
    unsigned window;
    /// New messages start for so long, or until so many were sent.
    double seconds;
    uint64_t most_messages;
    /// Messages a second and sender; 0: as fast as the window lets. Latency counts from when a message was due.
    double rate;
} cbench_exchange_options;

/// What one exchange did.
typedef struct {
    /// SENDs that reached a participant and were answered.
    uint64_t deliveries;
    /// Messages sent to the room.
    uint64_t messages;
    double seconds;
    /// From a message's start to its arrival at one receiver, in milliseconds.
    double median_latency, p99_latency, longest_latency;
} cbench_exchange_result;

#endif
