/*
 * Gives back what a TLS connection held.
 *
 * The library's tls_free() shuts the OpenSSL connection down and frees its BIO, but never the connection itself: 30 to
 * 50 KiB are lost with each TLS connection that ends, which lets anybody fill the memory. So the connection is
 * remembered when the library makes it, and freed here. It also drops a reference to the listener's SSL_CTX that is
 * not its own, which goes well only because the lost connection keeps one: that reference is added.
 *
 * OpenSSL's functions are looked up in the library that Sofia loaded: nothing else here needs its headers.
 */
#include "internal.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>

typedef struct ssl_st ssl;
typedef struct bio_st bio;
typedef struct ssl_ctx_st ssl_ctx;
typedef void change_function(void *, void *, void *, int, long, void *);

enum { CLASS_SSL = 0 /* CRYPTO_EX_INDEX_SSL */, BUCKETS = 1024 };

static bio *(*get_bio)(ssl const *);
static int (*retain_bio)(bio *);
static int (*release_bio)(bio *);
static ssl_ctx *(*get_context)(ssl const *);
static int (*retain_context)(ssl_ctx *);
static void (*release)(ssl *);
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* The last connection that OpenSSL made, and the last that it freed, on this thread. */
static _Thread_local ssl *made, *freed;

static void on_made(void *connection, void *data, void *all, int index, long number, void *pointer)
{
    (void)data, (void)all, (void)index, (void)number, (void)pointer;
    made = connection;
}

static void on_freed(void *connection, void *data, void *all, int index, long number, void *pointer)
{
    (void)data, (void)all, (void)index, (void)number, (void)pointer;
    freed = connection;
}

static void find_functions(void)
{
    int (*watch)(int, long, void *, change_function *, void *, change_function *);
    *(void **)&watch = dlsym(RTLD_DEFAULT, "CRYPTO_get_ex_new_index");
    *(void **)&get_bio = dlsym(RTLD_DEFAULT, "SSL_get_rbio");
    *(void **)&retain_bio = dlsym(RTLD_DEFAULT, "BIO_up_ref");
    *(void **)&release_bio = dlsym(RTLD_DEFAULT, "BIO_free");
    *(void **)&get_context = dlsym(RTLD_DEFAULT, "SSL_get_SSL_CTX");
    *(void **)&retain_context = dlsym(RTLD_DEFAULT, "SSL_CTX_up_ref");
    *(void **)&release = dlsym(RTLD_DEFAULT, "SSL_free");
    if (watch == NULL || get_bio == NULL || retain_bio == NULL || release_bio == NULL || get_context == NULL
        || retain_context == NULL || watch(CLASS_SSL, 0, NULL, on_made, NULL, on_freed) < 0)
        release = NULL;
}

/* Which connection belongs to what the library calls tls_t. */
typedef struct pair {
    struct pair *next;
    void const *tls;
    ssl *connection;
} pair;

static pair *buckets[BUCKETS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static pair **bucket(void const *tls) { return &buckets[((uintptr_t)tls >> 5) % BUCKETS]; }

static void remember(void const *tls, ssl *connection)
{
    pair *const entry = malloc(sizeof *entry);
    if (entry == NULL) return;
    pthread_mutex_lock(&lock);
    *entry = (pair){*bucket(tls), tls, connection};
    *bucket(tls) = entry;
    pthread_mutex_unlock(&lock);
}

static ssl *forget(void const *tls)
{
    ssl *connection = NULL;
    pthread_mutex_lock(&lock);
    for (pair **link = bucket(tls); *link != NULL; link = &(*link)->next) {
        pair *const entry = *link;
        if (entry->tls != tls) continue;
        connection = entry->connection;
        *link = entry->next;
        free(entry);
        break;
    }
    pthread_mutex_unlock(&lock);
    return connection;
}

/* Interposed: makes the TLS side of an accepted or opened connection. */
void *tls_init_secondary(void *master, int socket, int accepted)
{
    static void *(*original)(void *, int, int);
    if (original == NULL) *(void **)&original = dlsym(RTLD_NEXT, "tls_init_secondary");
    if (original == NULL) return NULL;
    pthread_once(&once, find_functions);
    made = NULL;
    void *const tls = original(master, socket, accepted);
    if (tls != NULL && made != NULL && release != NULL) remember(tls, made);
    made = NULL;
    return tls;
}

/* Interposed: ends it. */
void tls_free(void *tls)
{
    static void (*original)(void *);
    if (original == NULL) *(void **)&original = dlsym(RTLD_NEXT, "tls_free");
    if (original == NULL) return;
    ssl *const connection = tls != NULL ? forget(tls) : NULL;
    bio *const shared = connection != NULL ? get_bio(connection) : NULL;
    if (shared == NULL || retain_bio(shared) != 1) {
        original(tls);
        return;
    }
    /* The original frees the BIO, to which the connection has the only reference: now each has one. */
    retain_context(get_context(connection));
    freed = NULL;
    original(tls);
    if (freed == connection)
        release_bio(shared); /* a library that does it itself */
    else
        release(connection);
}
