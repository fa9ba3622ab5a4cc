/* Checks a certificate before the library reads it: it would open a listener with a useless one, and only log that. */
#include "CSofia.h"

#include <dlfcn.h>

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
