/* SPDX-License-Identifier: Apache-2.0
 *
 * apt, on a real system only: installing a package without asking anyone, and purging it.
 */
#include "exec.h"

enum { APT_SECONDS = 1800 };

/* A question would wait for ever: keep the configuration files that are there. */
static const char *const apt_env[] = {"DEBIAN_FRONTEND=noninteractive", "APT_LISTCHANGES_FRONTEND=none",
				      "NEEDRESTART_MODE=a", NULL};

enum err package_install(struct agent *a, const char *name, const char *version)
{
	check(!a->tree);
	const char *what = version != NULL ? arena_printf(a->scope->arena, "%s=%s", name, version) : name;
	const char *const install[] = {"/usr/bin/apt-get",
				       "install",
				       "-y",
				       "--no-install-recommends",
				       "-o",
				       "Dpkg::Options::=--force-confdef",
				       "-o",
				       "Dpkg::Options::=--force-confold",
				       "--",
				       what,
				       NULL};
	if (exec_run(a, install, apt_env, APT_SECONDS) == OK)
		return OK;
	agent_forgive(a); /* most often the lists are old: once more with new ones */
	TRY(exec_run(a, (const char *const[]){"/usr/bin/apt-get", "update", NULL}, apt_env, APT_SECONDS));
	return exec_run(a, install, apt_env, APT_SECONDS);
}

enum err package_purge(struct agent *a, const char *name)
{
	check(!a->tree);
	return exec_run(a, (const char *const[]){"/usr/bin/apt-get", "purge", "-y", "--", name, NULL}, apt_env,
			APT_SECONDS);
}
