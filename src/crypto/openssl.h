/* SPDX-License-Identifier: Apache-2.0
 * Inside crypto/ only: the one place that includes the library's headers.  They call a type ERR_STATE, which is also
 * one of our errors (base/errors.def); nothing here uses that type, so it goes by another name. */
#ifndef REEVE_CRYPTO_OPENSSL_H
#define REEVE_CRYPTO_OPENSSL_H

#define ERR_STATE openssl_error_state
#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#undef ERR_STATE

#endif
