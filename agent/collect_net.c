/* SPDX-License-Identifier: Apache-2.0
 *
 * Network interfaces: name, hardware address, and whether it is wireless.  Addresses only when the tenant turned them
 * on.  The names of wireless networks, routes, name servers and traffic are never read.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>

#include "base/limits.h"
#include "collect.h"
#include "fs.h"

bool interface_counts(const char *name, const char *mac)
{
	static const char *const virtual[] = {"lo",  "docker", "veth", "br-", "virbr",   "vnet", "ifb",    "dummy",
					      "tap", "tun",    "wg",   "cni", "flannel", "cali", "podman", "lxc"};
	if (mac == NULL || strlen(mac) != 17 || strspn(mac, "0:") == 17)
		return false;
	for (size_t i = 0; i < sizeof virtual / sizeof *virtual; i++) {
		size_t n = strlen(virtual[i]);
		if (strncmp(name, virtual[i], n) == 0 && (i > 0 || name[n] == '\0'))
			return false;
	}
	return true;
}

/* Link-local addresses say nothing about where the device can be reached, and repeat the hardware address. */
static bool address_text(const struct sockaddr *sa, char *out, socklen_t n)
{
	if (sa == NULL)
		return false;
	if (sa->sa_family == AF_INET)
		return inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)sa)->sin_addr, out, n) != NULL;
	if (sa->sa_family != AF_INET6)
		return false;
	const struct in6_addr *v6 = &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr;
	return !IN6_IS_ADDR_LINKLOCAL(v6) && inet_ntop(AF_INET6, v6, out, n) != NULL;
}

static void write_addresses(struct agent *a, const char *name, struct json_writer *w)
{
	char text[INET6_ADDRSTRLEN], *rest;
	jw_key(w, "addresses");
	jw_array(w);
	if (a->tree) { /* made up by whoever made the tree; no kernel has such a file */
		char *lines = fs_text(a, arena_printf(a->scope->arena, "sys/class/net/%s/addresses", name), 4096);
		char *line = lines != NULL ? strtok_r(lines, " \n", &rest) : NULL;
		for (; line != NULL; line = strtok_r(NULL, " \n", &rest))
			jw_string(w, line);
	} else {
		struct ifaddrs *all = NULL;
		if (getifaddrs(&all) == 0)
			for (struct ifaddrs *i = all; i != NULL; i = i->ifa_next)
				if (strcmp(i->ifa_name, name) == 0 && address_text(i->ifa_addr, text, sizeof text))
					jw_string(w, text);
		freeifaddrs(all);
	}
	jw_end_array(w);
}

void collect_interfaces(struct agent *a, bool addresses, struct json_writer *w)
{
	unsigned n = 0;
	jw_key(w, "networkInterfaces");
	jw_array(w);
	for (char **name = fs_names(a, "sys/class/net"); *name != NULL && n < LIMIT_INTERFACES_PER_DEVICE; name++) {
		char *dir = arena_printf(a->scope->arena, "sys/class/net/%s", *name);
		char *mac = fs_line(a, arena_printf(a->scope->arena, "%s/address", dir));
		if (!interface_counts(*name, mac) || fs_present(a, arena_printf(a->scope->arena, "%s/bridge", dir)))
			continue;
		bool wifi = fs_present(a, arena_printf(a->scope->arena, "%s/wireless", dir)) ||
			    fs_present(a, arena_printf(a->scope->arena, "%s/phy80211", dir));
		for (char *p = mac; *p != '\0'; p++)
			*p = (char)tolower((unsigned char)*p);
		jw_object(w);
		jw_kstring(w, "name", *name);
		jw_kstring(w, "mac", mac);
		jw_kstring(w, "kind", wifi ? "wifi" : "ethernet");
		if (addresses)
			write_addresses(a, *name, w);
		jw_end_object(w);
		n++;
	}
	jw_end_array(w);
}
