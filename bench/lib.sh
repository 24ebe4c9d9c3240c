# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034 # what the benches share; they source it
#
# A server on loopback with a data directory of its own below $work, which goes at the end.  The directory stands beside the build, not
# in /tmp, so that it is on a disk and a commit has to reach it.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
build=$(cd "${BUILD:-build}" && pwd)
reeve=$build/reeve
server=
work=$(mktemp -d "$build/bench.XXXXXX")

stop_server() {
	if [ -n "$server" ]; then
		kill -TERM "$server" 2>/dev/null || true
		wait "$server" 2>/dev/null || true
	fi
	server=
}
cleanup() {
	stop_server
	rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

free_port() { # two free ports in a row
	local p=$((20000 + RANDOM % 8000 * 2))
	while (exec 3<>"/dev/tcp/127.0.0.1/$p") 2>/dev/null || (exec 3<>"/dev/tcp/127.0.0.1/$((p + 1))") 2>/dev/null; do p=$((p + 2)); done
	echo "$p"
}
make_data() { # make_data DIR [DATABASE]: sets dir, url, token, ca
	dir=$1
	port=$(free_port)
	url=https://127.0.0.1:$port
	"$reeve" init --data "$dir" --url "$url" ${2:+--database "$2"} --json >"$dir.json"
	echo "throttle = off" >>"$dir/reeve.conf" # what is measured is the server, not what it refuses
	token=$(jq -r .token "$dir.json")
	ca=$dir/tls/ca.pem
}
start_server() {
	"$reeve" serve --data "$dir" 2>"$dir.log" &
	server=$!
	for _ in $(seq 100); do
		curl -sf --cacert "$ca" "$url/readyz" >/dev/null && return
		sleep 0.1
	done
	echo "bench: the server did not start; its last words:" >&2
	tail -5 "$dir.log" >&2
	exit 1
}
get() { curl -sf --cacert "$ca" -H "Authorization: Bearer $token" "$url$1"; }
cpu_ticks() { awk '{print $14 + $15}' "/proc/$server/stat"; }
rss_kib() { awk '/^VmRSS/ {print $2}' "/proc/$server/status"; }
tenant_hex() { jq -r .tenant "$dir.json" | tr -d -; }
calc() { awk "BEGIN {printf \"%.${2:-2}f\", $1}"; }
median() { sort -n | awk '{v[NR] = $1} END {m = int((NR + 1) / 2); print NR % 2 ? v[m] : (v[m] + v[m + 1]) / 2}'; }
report() { printf '%-44s %8s   %s\n' "$@"; } # name, ratio or figure, the numbers behind it
