/// File transfers beside a chat (RFC 5547): one participant pushes a file into its room, others pull it.
#ifndef CBENCH_FILES_H
#define CBENCH_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct cbench_files cbench_files;

/// Addresses are 127.0.0.1. Those who transfer are participants of the room: a `cbench_group` has them join.
typedef struct {
    uint16_t sip_port;
    const char *domain, *room_prefix;
    /// Octets of the file.
    uint64_t size;
    /// Participants 1 to `receivers` of the room pull at once; participant 1 pushes.
    unsigned receivers;
    bool tls;
} cbench_files_options;

typedef struct {
    /// Transfers that came to their end, every octet compared with what was pushed.
    uint64_t transfers;
    uint64_t octets;
    double seconds;
} cbench_files_result;

/// NULL and a text in `error` when it cannot be made.
cbench_files *cbench_files_create(const cbench_files_options *options, char *error, size_t error_size);
void cbench_files_destroy(cbench_files *files);

/// The text of the last failure.
const char *cbench_files_error(const cbench_files *files);

/// Pushes the file into the room; returns when the room has it all. Seconds taken, or -1.
double cbench_files_push(cbench_files *files);

/// On a thread of its own all receivers pull the file, and again when they have it, until `stop`.
bool cbench_files_start(cbench_files *files);
/// Lets the transfers under way end. False when one went wrong.
bool cbench_files_stop(cbench_files *files, cbench_files_result *result);

#endif
