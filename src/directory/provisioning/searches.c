/* SPDX-License-Identifier: Apache-2.0
 * The places of long searches, in memory. */
#include "directory/provisioning/searches.h"

#include <pthread.h>
#include <stddef.h>

#include "base/err.h"

enum { OF_TENANT = 2, OF_ALL = 4 };

static struct {
	pthread_mutex_t lock;
	struct id tenant[OF_ALL];
	size_t n;
} running = {.lock = PTHREAD_MUTEX_INITIALIZER};

bool scim_search_enter(struct id tenant)
{
	size_t mine = 0;
	pthread_mutex_lock(&running.lock);
	for (size_t i = 0; i < running.n; i++)
		mine += id_equal(running.tenant[i], tenant);
	bool enters = running.n < OF_ALL && mine < OF_TENANT;
	if (enters)
		running.tenant[running.n++] = tenant;
	pthread_mutex_unlock(&running.lock);
	return enters;
}

void scim_search_leave(struct id tenant)
{
	size_t i = 0;
	pthread_mutex_lock(&running.lock);
	while (i < running.n && !id_equal(running.tenant[i], tenant))
		i++;
	check(i < running.n);
	running.tenant[i] = running.tenant[--running.n];
	pthread_mutex_unlock(&running.lock);
}
