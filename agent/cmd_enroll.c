/* SPDX-License-Identifier: Apache-2.0
 *
 * `enroll`: tells and asks the person, makes a key that never leaves this machine, and exchanges the token for a
 * certificate. The disk is tried before the token is spent; a failed enrolment leaves nothing behind.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "channel.h"
#include "cmd.h"
#include "crypto/digest.h"
#include "crypto/x509.h"
#include "fs.h"
#include "sync.h"

struct enrolment {
	const char *url, *ca_file, *token;
	char *key, *csr;
	json_t *terms;
	struct device device;
};

static enum err read_token(struct agent *a, const struct options *o, const char **ret)
{
	if ((o->token == NULL) == (o->token_file == NULL))
		return scope_fail(a->scope, ERR_USAGE, "enroll needs --token-file FILE or --token T");
	*ret = o->token;
	if (o->token_file != NULL) {
		auto_buf text;
		buf_init(&text, 4096);
		bool in = strcmp(o->token_file, "-") == 0;
		auto_fd fd = in ? dup(STDIN_FILENO) : open(o->token_file, O_RDONLY | O_CLOEXEC);
		if (fd < 0 || fs_read_fd(fd, &text) != 0)
			return scope_fail(a->scope, ERR_NOT_FOUND, "cannot read the token's file: %s", strerror(errno));
		char *token = arena_strndup(a->scope->arena, text.len > 0 ? text.data : "", text.len);
		token[strcspn(token, " \t\r\n")] = '\0';
		*ret = token;
	}
	a->secret = *ret;
	if (**ret == '\0')
		return scope_fail(a->scope, ERR_USAGE, "the enrolment token is empty");
	return OK;
}

static void write_device(struct agent *a, struct json_writer *w)
{
	struct facts f;
	collect_facts(a, &f);
	const struct {
		const char *key, *value;
	} rows[] = {{"deviceName", f.device_name},
		    {"manufacturer", f.manufacturer},
		    {"model", f.model},
		    {"serialNumber", f.serial},
		    {"osName", f.os_name},
		    {"osVersion", f.os_version}};
	jw_object(w);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (rows[i].value != NULL)
			jw_kstring(w, rows[i].key, channel_clean(a, rows[i].value));
	jw_end_object(w);
}

static void write_request(struct agent *a, const struct enrolment *n, struct json_writer *w)
{
	jw_object(w);
	jw_kstring(w, "token", n->token);
	jw_kstring(w, "csr", n->csr);
	jw_key(w, "acceptedTerms");
	jw_array(w);
	for (size_t i = 0; i < json_array_size(n->terms); i++) {
		const json_t *t = json_array_get(n->terms, i);
		jw_object(w);
		jw_kstring(w, "id", json_string_value(json_object_get(t, "id")));
		jw_kint(w, "version", json_integer_value(json_object_get(t, "version")));
		jw_end_object(w);
	}
	jw_end_array(w);
	jw_key(w, "device");
	write_device(a, w);
	jw_kbool(w, "provisioning", n->device.provisioning);
	jw_end_object(w);
}

static enum err keep_answer(struct agent *a, struct enrolment *n, const json_t *answer)
{
	struct id id;
	const char *cert = json_string_value(json_object_get(answer, "certificate"));
	const char *ca = json_string_value(json_object_get(answer, "ca"));
	const char *device = json_string_value(json_object_get(answer, "deviceId"));
	const char *ownership = json_string_value(json_object_get(answer, "ownership"));
	if (!id_parse(device, &id) || ownership == NULL ||
	    (strcmp(ownership, "personal") != 0 && strcmp(ownership, "company") != 0))
		return scope_fail(a->scope, ERR_BAD_REQUEST, "the server's answer has no device id or ownership");
	TRY(renew_check(a, cert, ca, n->key));
	n->device.id = id_format(id, arena_alloc(a->scope->arena, ID_TEXT));
	n->device.ownership = arena_strdup(a->scope->arena, ownership);
	TRY(state_write(a, "cert.pem", cert, strlen(cert)));
	TRY(state_write(a, "ca.pem", ca, strlen(ca)));
	return device_save(a, &n->device); /* last: from here on this device is enrolled */
}

static enum err exchange(struct agent *a, struct enrolment *n)
{
	auto_buf body;
	auto_json *answer = NULL;
	struct json_writer w;
	buf_init(&body, CHANNEL_BODY_MAX);
	jw_init(&w, &body);
	write_request(a, n, &w);
	struct endpoint to = {.url = n->url, .ca_file = n->ca_file};
	enum err e = channel_post(a, &to, "/linux/enroll", &body, &answer);
	if (body.data != NULL)
		wipe(body.data, body.len);
	TRY(e);
	return keep_answer(a, n, answer);
}

static void undo(struct agent *a, const struct enrolment *n)
{
	struct scope *s = a->scope;
	char *detail = s->detail;
	if (a->state_fd >= 0 && state_empty(a, NULL) == OK && n->device.made != NULL) {
		size_t count = 0;
		while (n->device.made[count] != NULL)
			count++;
		while (count-- > 0)
			if (fs_rmdir(a->root_fd, n->device.made[count]) != 0)
				break;
	}
	s->detail = detail;
}

static enum err enrol(struct agent *a, struct enrolment *n, int *ret_code)
{
	enum err e = state_create(a, &n->device.made);
	if (e == ERR_EXISTS || e == ERR_BUSY) {
		state_close(a); /* not ours to undo */
		return e;
	}
	TRY(x509_make_request(a->scope->arena, "reeve-agent", &n->key, &n->csr));
	if (e == OK)
		e = state_write(a, "key.pem", n->key, strlen(n->key));
	if (e != OK) {
		*ret_code = EXIT_CANTCREAT;
		return e;
	}
	return exchange(a, n);
}

static enum err prepare(struct agent *a, const struct options *o, struct enrolment *n)
{
	if (o->url == NULL || o->ca == NULL)
		return scope_fail(a->scope, ERR_USAGE, "enroll needs --url URL and --ca FILE");
	if (access(o->ca, R_OK) != 0)
		return scope_fail(a->scope, ERR_NOT_FOUND, "cannot read %s: %s", o->ca, strerror(errno));
	TRY(channel_url(a, o->url, &n->url));
	TRY(read_token(a, o, &n->token));
	n->ca_file = o->ca;
	n->device = (struct device){.url = n->url, .device_name = o->device_name, .provisioning = !o->inventory_only};
	if (state_peek(a) == OK) {
		state_close(a);
		return scope_fail(a->scope, ERR_EXISTS,
				  "this device is enrolled already; `reeve-agent leave` ends that");
	}
	agent_forgive(a);
	return terms_ask(a, n->url, n->ca_file, n->token, o->accept_terms, &n->terms);
}

int cmd_enroll(struct agent *a, const struct options *o)
{
	struct enrolment n = {0};
	int code = 0;
	enum err e = prepare(a, o, &n);
	if (e == OK)
		e = enrol(a, &n, &code);
	if (e != OK)
		undo(a, &n);
	json_decref(n.terms);
	if (n.key != NULL)
		wipe(n.key, strlen(n.key));
	state_close(a);
	if (e != OK) {
		int usual = complain(a, e);
		return code != 0 ? code : usual;
	}
	printf("enrolled: device %s (%s)%s\n", n.device.id, n.device.ownership,
	       o->inventory_only ? ", inventory only" : "");
	return 0;
}
