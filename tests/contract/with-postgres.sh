#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs a command with a private PostgreSQL server: unix socket only, trusted, gone afterwards.
#
#   with-postgres.sh command [argument ...]
#
# REEVE_TEST_PG is the administrator's conninfo of an empty database "reeve_test".  REEVE_TEST_PG_HOST is the socket's directory.
# REEVE_PG_DIR is where its data stands (/tmp).  REEVE_PG_BIN says where another version's programs are; REEVE_PG_PRELOAD is an LD_PRELOAD for the server alone (a faked time).
# Returns the command's status, or 77 (skipped) where there is no PostgreSQL.
set -u

bin=${REEVE_PG_BIN:-}
if [ -z "$bin" ]; then
	for bin in /usr/lib/postgresql/*/bin; do :; done
fi
if [ ! -x "$bin/initdb" ]; then
	echo "1..0 # SKIP no PostgreSQL server programs"
	exit 77
fi

dir=$(mktemp -d "${REEVE_PG_DIR:-/tmp}/reeve-pg.XXXXXX") || exit 70
# initdb refuses root
as() { "$@"; }
if [ "$(id -u)" = 0 ]; then
	chown postgres "$dir" || exit 70
	as() { runuser -u postgres -- "$@"; }
fi
chmod 755 "$dir"

cleanup() {
	as "$bin/pg_ctl" -D "$dir/data" -m immediate -w stop >/dev/null 2>&1
	rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 143' TERM INT HUP

cd /
as "$bin/initdb" -D "$dir/data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-sync >"$dir/initdb.log" 2>&1 || {
	sed 's/^/# /' "$dir/initdb.log"
	exit 70
}
cat >>"$dir/data/postgresql.conf" <<CONF
listen_addresses = ''
unix_socket_directories = '$dir'
fsync = on
shared_buffers = 16MB
max_connections = 60
max_wal_size = 64MB
autovacuum = off
log_min_messages = error
CONF
as env ${REEVE_PG_PRELOAD:+LD_PRELOAD="$REEVE_PG_PRELOAD"} "$bin/pg_ctl" -D "$dir/data" -l "$dir/server.log" -w start >/dev/null 2>&1 || {
	sed 's/^/# /' "$dir/server.log"
	exit 70
}
as "$bin/createdb" -h "$dir" -U postgres reeve_test || exit 70

cd "$OLDPWD" || exit 70
REEVE_TEST_PG_HOST=$dir
REEVE_TEST_PG="postgresql:///reeve_test?host=$dir&user=postgres"
export REEVE_TEST_PG REEVE_TEST_PG_HOST
"$@"
