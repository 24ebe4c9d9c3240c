/* SPDX-License-Identifier: Apache-2.0
 *
 * Server certificates that can be exchanged while connections are open.  Every handshake asks tls_retrieve() for the
 * certificate; a connection holds a reference to the one that it got, so that an exchanged one is freed with its last
 * connection.
 */
#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <stdlib.h>
#include <string.h>

#include "http/server.h"

enum { CHAIN_MAX = 8 };

/* TLS 1.2 and 1.3, forward secrecy and AEAD only. */
const char TLS_PRIORITIES[] = "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-KX-ALL:+ECDHE-ECDSA:+ECDHE-RSA:"
	"-CIPHER-ALL:+AES-256-GCM:+CHACHA20-POLY1305:+AES-128-GCM:-MAC-ALL:+AEAD:%SERVER_PRECEDENCE";

struct tls_identity {
	atomic_uint refs;
	gnutls_pcert_st chain[CHAIN_MAX];
	unsigned chain_len;
	gnutls_privkey_t key;
};

static gnutls_datum_t datum(const char *text)
{
	return (gnutls_datum_t){.data = (unsigned char *)(uintptr_t)text, .size = (unsigned)strlen(text)};
}

/* GnuTLS compares the key with the certificate only for credentials that it loads itself, so load them for that. */
static int check_pair(const gnutls_datum_t *cert, const gnutls_datum_t *key)
{
	gnutls_certificate_credentials_t c;
	int rc = gnutls_certificate_allocate_credentials(&c);
	if (rc < 0)
		return rc;
	rc = gnutls_certificate_set_x509_key_mem(c, cert, key, GNUTLS_X509_FMT_PEM);
	gnutls_certificate_free_credentials(c);
	return rc < 0 ? rc : 0;
}

static int load(struct tls_identity *i, const gnutls_datum_t *cert, const gnutls_datum_t *key)
{
	unsigned n = CHAIN_MAX;
	int rc = check_pair(cert, key);
	if (rc < 0)
		return rc;
	rc = gnutls_pcert_list_import_x509_raw(i->chain, &n, cert, GNUTLS_X509_FMT_PEM,
		GNUTLS_X509_CRT_LIST_FAIL_IF_UNSORTED);
	if (rc < 0)
		return rc;
	i->chain_len = n;
	rc = gnutls_privkey_init(&i->key);
	if (rc < 0)
		return rc;
	return gnutls_privkey_import_x509_raw(i->key, key, GNUTLS_X509_FMT_PEM, NULL, 0);
}

static void identity_free(struct tls_identity *i)
{
	for (unsigned n = 0; n < i->chain_len; n++)
		gnutls_pcert_deinit(&i->chain[n]);
	if (i->key != NULL)
		gnutls_privkey_deinit(i->key);
	free(i);
}

enum err tls_identity_new(const char *cert_pem, const char *key_pem, struct tls_identity **ret, char **detail)
{
	if (cert_pem == NULL || key_pem == NULL)
		return server_fail(detail, ERR_CONFIG, "a TLS listener needs a certificate and its key");
	gnutls_datum_t cert = datum(cert_pem), key = datum(key_pem);
	struct tls_identity *i = calloc(1, sizeof *i);
	check(i != NULL);
	atomic_init(&i->refs, 1);
	int rc = load(i, &cert, &key);
	if (rc < 0) {
		identity_free(i);
		return server_fail(detail, ERR_CONFIG, "the certificate and key cannot be used: %s",
			gnutls_strerror(rc));
	}
	*ret = i;
	return OK;
}

struct tls_identity *tls_identity_ref(struct tls_identity *i)
{
	atomic_fetch_add(&i->refs, 1);
	return i;
}

void tls_identity_unref(struct tls_identity *i)
{
	if (i != NULL && atomic_fetch_sub(&i->refs, 1) == 1)
		identity_free(i);
}

static int tls_retrieve(gnutls_session_t session, const gnutls_datum_t *ca_names, int ca_count,
	const gnutls_pk_algorithm_t *algorithms, int algorithm_count, gnutls_pcert_st **ret_chain,
	unsigned *ret_len, gnutls_privkey_t *ret_key)
{
	/* The library points each session at its connection. */
	struct conn *conn = conn_of(gnutls_session_get_ptr(session));
	if (conn == NULL || conn->refused)
		return -1;
	if (conn->identity == NULL) {
		pthread_mutex_lock(&conn->server->lock);
		conn->identity = tls_identity_ref(conn->server->identity);
		pthread_mutex_unlock(&conn->server->lock);
	}
	*ret_chain = conn->identity->chain;
	*ret_len = conn->identity->chain_len;
	*ret_key = conn->identity->key;
	return 0;
}

struct MHD_OptionItem tls_certificate_option(void)
{
	gnutls_certificate_retrieve_function2 *fn = tls_retrieve;
	void *p;
	_Static_assert(sizeof fn == sizeof p, "function pointers travel through the option table as objects");
	memcpy(&p, &fn, sizeof p);
	return (struct MHD_OptionItem){MHD_OPTION_HTTPS_CERT_CALLBACK, 0, p};
}

bool tls_peer_certificate(struct MHD_Connection *c, const void **ret, size_t *ret_len)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(c, MHD_CONNECTION_INFO_GNUTLS_SESSION);
	if (info == NULL || info->tls_session == NULL)
		return false;
	unsigned n = 0;
	const gnutls_datum_t *list = gnutls_certificate_get_peers(info->tls_session, &n);
	if (list == NULL || n == 0)
		return false;
	*ret = list[0].data;
	*ret_len = list[0].size;
	return true;
}

enum err http_reload_certificate(struct http_server *s, const char *cert_pem, const char *key_pem, char **detail)
{
	struct tls_identity *fresh = NULL;
	if (!s->secure)
		return server_fail(detail, ERR_CONFIG, "this listener has no certificate");
	TRY(tls_identity_new(cert_pem, key_pem, &fresh, detail));
	pthread_mutex_lock(&s->lock);
	struct tls_identity *old = s->identity;
	s->identity = fresh;
	pthread_mutex_unlock(&s->lock);
	tls_identity_unref(old);
	return OK;
}
