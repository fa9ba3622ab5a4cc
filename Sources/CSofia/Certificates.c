/* Checks a certificate before the library reads it: it would open a listener with a useless one, and only log that. */
#include "internal.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>

/* The library is linked with OpenSSL; these are found in what is loaded, so that no header of it is needed here. */
typedef struct ssl_context ssl_context;
enum { PEM = 1 };

const char *cs_certificate_problem(const char *file)
{
    const void *(*method)(void) = (const void *(*)(void))dlsym(RTLD_DEFAULT, "TLS_server_method");
    ssl_context *(*create)(const void *) = (ssl_context *(*)(const void *))dlsym(RTLD_DEFAULT, "SSL_CTX_new");
    void (*destroy)(ssl_context *) = (void (*)(ssl_context *))dlsym(RTLD_DEFAULT, "SSL_CTX_free");
    int (*use_certificate)(ssl_context *, const char *, int) =
        (int (*)(ssl_context *, const char *, int))dlsym(RTLD_DEFAULT, "SSL_CTX_use_certificate_file");
    int (*use_key)(ssl_context *, const char *, int) =
        (int (*)(ssl_context *, const char *, int))dlsym(RTLD_DEFAULT, "SSL_CTX_use_PrivateKey_file");
    int (*check)(ssl_context *) = (int (*)(ssl_context *))dlsym(RTLD_DEFAULT, "SSL_CTX_check_private_key");
    void (*clear)(void) = (void (*)(void))dlsym(RTLD_DEFAULT, "ERR_clear_error");
    if (!method || !create || !destroy || !use_certificate || !use_key || !check || !clear) return NULL;

    ssl_context *context = create(method());
    if (context == NULL) return "TLS is not available";
    const char *problem = NULL;
    if (use_certificate(context, file, PEM) != 1)
        problem = "the certificate cannot be read, or is too weak";
    else if (use_key(context, file, PEM) != 1 || check(context) != 1)
        problem = "the private key cannot be read, or does not belong to the certificate";
    destroy(context);
    clear();
    return problem;
}

/* ---- the chain that is served ---- */

typedef void change_function(void *, void *, void *, int, long, void *);
enum { CLASS_CONTEXT = 1 /* CRYPTO_EX_INDEX_SSL_CTX */ };

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int (*use_chain)(ssl_context *, const char *);
static _Thread_local ssl_context *made;

static void on_made(void *context, void *data, void *all, int index, long number, void *pointer)
{
    (void)data, (void)all, (void)index, (void)number, (void)pointer;
    made = context;
}

static void watch_contexts(void)
{
    int (*watch)(int, long, void *, change_function *, void *, change_function *);
    *(void **)&watch = dlsym(RTLD_DEFAULT, "CRYPTO_get_ex_new_index");
    *(void **)&use_chain = dlsym(RTLD_DEFAULT, "SSL_CTX_use_certificate_chain_file");
    if (watch == NULL || watch(CLASS_CONTEXT, 0, NULL, on_made, NULL, NULL) < 0) use_chain = NULL;
}

/* Interposed: the library gives a listener one certificate, and would serve as its chain what it finds among those that
 * it trusts. Those shall vouch for peers and for nothing else: the chain stands in the certificate's own file. */
void *tls_init_master(void *issues)
{
    static void *(*original)(void *);
    if (original == NULL) *(void **)&original = dlsym(RTLD_NEXT, "tls_init_master");
    if (original == NULL) return NULL;
    pthread_once(&once, watch_contexts);
    made = NULL;
    void *const master = original(issues);
    cs_stack const *stack = cs_current_stack();
    char const *directory = stack != NULL ? stack->configuration->certificate_directory : NULL;
    if (master != NULL && made != NULL && use_chain != NULL && directory != NULL) {
        char file[1024];
        snprintf(file, sizeof file, "%s/agent.pem", directory);
        use_chain(made, file);
    }
    made = NULL;
    return master;
}
