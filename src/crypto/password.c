/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/password.h"

#include <argon2.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/id.h"
#include "crypto/digest.h"

enum { MEMORY_KIB = 65536, PASSES = 3, LANES = 1, SALT_BYTES = 16, HASH_BYTES = 32 };

/* ---- the gate ---- */

static struct {
	pthread_mutex_t lock;
	pthread_cond_t left;
	unsigned running, waiting;
} gate = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0};

static unsigned at_once(void)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	return cores < 8 ? 1 : cores < 16 ? (unsigned)cores / 4 : 4;
}

static bool enter(void)
{
	pthread_mutex_lock(&gate.lock);
	bool room = gate.waiting < PASSWORD_WAITING;
	if (room) {
		gate.waiting++;
		while (gate.running >= at_once())
			pthread_cond_wait(&gate.left, &gate.lock);
		gate.waiting--;
		gate.running++;
	}
	pthread_mutex_unlock(&gate.lock);
	return room;
}

static void leave(void)
{
	pthread_mutex_lock(&gate.lock);
	gate.running--;
	pthread_cond_signal(&gate.left);
	pthread_mutex_unlock(&gate.lock);
}

static enum err begin(struct scope *s, const char *password)
{
	size_t n = strnlen(password, PASSWORD_BYTES_MAX + 1);
	if (n == 0 || n > PASSWORD_BYTES_MAX)
		return scope_fail(s, ERR_BAD_REQUEST, "a password is 1 to %d bytes long", (int)PASSWORD_BYTES_MAX);
	return enter() ? OK : scope_fail(s, ERR_TOO_MANY, "too many sign-ins at once: try again");
}

/* ---- hashing ---- */

enum err password_hash(struct scope *s, const char *password, char ret[PASSWORD_PHC_TEXT])
{
	uint8_t salt[SALT_BYTES];
	TRY(begin(s, password));
	random_bytes(salt, sizeof salt);
	int e = argon2id_hash_encoded(PASSES, MEMORY_KIB, LANES, password, strlen(password), salt, sizeof salt, HASH_BYTES, ret, PASSWORD_PHC_TEXT);
	leave();
	return e == ARGON2_OK ? OK : scope_fail(s, ERR_UNAVAILABLE, "a password could not be hashed: %s", argon2_error_message(e));
}

static bool is_weak(const char *phc)
{
	unsigned memory, passes, lanes;
	if (sscanf(phc, "$argon2id$v=19$m=%u,t=%u,p=%u$", &memory, &passes, &lanes) != 3)
		return true;
	return memory < MEMORY_KIB || passes < PASSES || lanes < LANES;
}

/* Nobody's password is compared with a hash of zeros, which no password has. */
static const char NOBODY[] = "$argon2id$v=19$m=65536,t=3,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

enum err password_check(struct scope *s, const char *password, const char *phc, bool *ret_right, bool *ret_weak)
{
	*ret_right = false;
	TRY(begin(s, password));
	int e = argon2id_verify(phc != NULL ? phc : NOBODY, password, strlen(password));
	leave();
	if (e != ARGON2_OK && e != ARGON2_VERIFY_MISMATCH)
		return scope_fail(s, ERR_UNAVAILABLE, "a password could not be checked: %s", argon2_error_message(e));
	*ret_right = e == ARGON2_OK && phc != NULL;
	if (ret_weak != NULL)
		*ret_weak = *ret_right && is_weak(phc);
	return OK;
}
