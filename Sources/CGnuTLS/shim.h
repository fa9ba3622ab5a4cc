#pragma once
#include <sys/select.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <gnutls/crypto.h>
#include <gnutls/abstract.h>

/* What Swift cannot see: function-like macros, and gnutls_free, which is a mutable global. */

static inline void confd_gnutls_free(void *memory)
{
    gnutls_free(memory);
}

static inline unsigned int confd_gnutls_p256_bits(void)
{
    return GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1);
}
