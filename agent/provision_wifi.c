/* SPDX-License-Identifier: Apache-2.0
 *
 * Kind "wifi": a NetworkManager connection (nm-settings-keyfile(5)), 0600.  The text is built so that no value can
 * start a line of its own: the network's name goes in as bytes unless it is plain, control characters are refused,
 * backslashes are doubled.
 */
#include <ctype.h>
#include <string.h>
#include <unistd.h>

#include "exec.h"
#include "provision.h"

static void add_ssid(struct buf *out, const char *ssid)
{
	bool plain = ssid[0] != ' ' && ssid[strlen(ssid) - 1] != ' ';
	for (const char *p = ssid; *p != '\0'; p++)
		plain = plain && *p > 0x1f && *p < 0x7f && *p != ';' && *p != '\\';
	buf_adds(out, "ssid=");
	if (plain)
		buf_adds(out, ssid);
	else
		for (const char *p = ssid; *p != '\0'; p++)
			buf_printf(out, "%u;", (unsigned char)*p);
	buf_addc(out, '\n');
}

static void add_secret(struct buf *out, const char *secret)
{
	buf_adds(out, "\n[wifi-security]\nkey-mgmt=wpa-psk\npsk=");
	for (const char *p = secret; *p != '\0'; p++) {
		if (*p == '\\')
			buf_adds(out, "\\\\");
		else if (*p == ' ' && p == secret)
			buf_adds(out, "\\s");
		else
			buf_addc(out, *p);
	}
	buf_addc(out, '\n');
}

static bool good_secret(const char *secret)
{
	size_t n = strlen(secret);
	for (const char *p = secret; *p != '\0'; p++)
		if (*p < 0x20 || *p > 0x7e)
			return false;
	if (n == 64)
		return strspn(secret, "0123456789abcdefABCDEF") == 64;
	return n >= 8 && n <= 63;
}

static enum err plan(struct agent *a, const struct desired *d, struct plan *ret)
{
	const char *ssid, *security, *secret;
	TRY(payload_line(a, d->payload, "ssid", true, &ssid));
	TRY(payload_line(a, d->payload, "security", true, &security));
	TRY(payload_line(a, d->payload, "passphrase", false, &secret));
	bool open = strcmp(security, "open") == 0;
	if (!open && strcmp(security, "wpaPersonal") != 0)
		return scope_fail(a->scope, ERR_BAD_REQUEST, "the Wi-Fi security %.32s is not supported", security);
	if (strlen(ssid) > 32)
		return scope_fail(a->scope, ERR_BAD_REQUEST, "the network's name is longer than 32 bytes");
	if (!open && (secret == NULL || !good_secret(secret)))
		return scope_fail(a->scope, ERR_BAD_REQUEST,
				  "the Wi-Fi passphrase is not 8 to 63 printable characters");
	auto_buf out;
	buf_init(&out, 16384);
	buf_printf(&out,
		   "[connection]\nid=reeve-%s\nuuid=%s\ntype=wifi\nautoconnect=true\n\n[wifi]\nmode=infrastructure\n",
		   d->id, d->id);
	add_ssid(&out, ssid);
	if (json_is_true(json_object_get(d->payload, "hidden")))
		buf_adds(&out, "hidden=true\n");
	if (!open)
		add_secret(&out, secret);
	buf_adds(&out, "\n[ipv4]\nmethod=auto\n\n[ipv6]\naddr-gen-mode=stable-privacy\nmethod=auto\n");
	check(!out.failed);
	const char *path =
		arena_printf(a->scope->arena, "etc/NetworkManager/system-connections/reeve-%s.nmconnection", d->id);
	plan_one_file(a, ret, path, arena_strndup(a->scope->arena, out.data, out.len), out.len, 0600);
	return OK;
}

/* Without NetworkManager the file waits for it; that is no failure. */
static enum err changed(struct agent *a, bool removed)
{
	(void)removed;
	if (access("/usr/bin/nmcli", X_OK) != 0)
		return OK;
	return exec_run(a, (const char *const[]){"/usr/bin/nmcli", "connection", "reload", NULL}, NULL, 60);
}

const struct kind kind_wifi = {.name = "wifi", .plan = plan, .changed = changed};
