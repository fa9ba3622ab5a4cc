/*
 * Gives back what a TLS connection held.
 *
 * The library's tls_free() shuts the OpenSSL connection down and frees its BIO, but never the connection itself: 30 to
 * 50 KiB are lost with each TLS connection that ends, which lets anybody fill the memory.
 */
#include "internal.h"

#include <dlfcn.h>

typedef struct ssl_st ssl;
typedef struct bio_st bio;

/* The connection that tls_free() shuts down; NULL at other times. All of it happens on the SIP thread. */
static _Thread_local bool freeing;
static _Thread_local ssl *ended;

/* Interposed: the only one who calls this is the library, and in tls_free() alone. */
int SSL_shutdown(ssl *connection)
{
    static int (*original)(ssl *);
    static bio *(*get_bio)(ssl const *);
    static int (*retain)(bio *);
    if (original == NULL) {
        *(void **)&original = dlsym(RTLD_NEXT, "SSL_shutdown");
        *(void **)&get_bio = dlsym(RTLD_DEFAULT, "SSL_get_rbio");
        *(void **)&retain = dlsym(RTLD_DEFAULT, "BIO_up_ref");
    }
    if (original == NULL) return -1;
    int const result = original(connection);
    if (freeing && get_bio != NULL && retain != NULL) {
        /* tls_free() goes on to free the BIO, to which the connection has the one reference: one for each. */
        bio *const shared = get_bio(connection);
        if (shared != NULL && retain(shared) == 1) ended = connection;
    }
    return result;
}

/* Interposed. */
void tls_free(void *tls)
{
    static void (*original)(void *);
    static void (*release)(ssl *);
    if (original == NULL) {
        *(void **)&original = dlsym(RTLD_NEXT, "tls_free");
        *(void **)&release = dlsym(RTLD_DEFAULT, "SSL_free");
    }
    if (original == NULL) return;
    freeing = true;
    ended = NULL;
    original(tls);
    freeing = false;
    if (ended != NULL && release != NULL) release(ended);
    ended = NULL;
}
