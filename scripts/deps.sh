#!/bin/sh
# Installs what building (and, with "test", testing) Reeve needs from Debian's packages.  Does nothing where all is there.
set -eu
build="gcc meson ninja-build pkg-config python3 libsqlite3-dev libpq-dev libjansson-dev libssl-dev libmicrohttpd-dev libgnutls28-dev
 libcurl4-openssl-dev libarchive-dev libcjose-dev libargon2-dev libseccomp-dev curl jq openssl sqlite3 unzip"
test="wrk clang llvm libclang-rt-14-dev libcmocka-dev libfaketime postgresql strace golang-go golang-golang-x-mod-dev rsyslog rsyslog-gnutls chromium"
want=$build
[ "${1:-}" = test ] && want="$build $test"
missing=""
for p in $want; do
	dpkg-query -W -f='${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || missing="$missing $p"
done
if [ "${1:-}" = test ]; then
	command -v node >/dev/null 2>&1 || missing="$missing nodejs"
	command -v npm >/dev/null 2>&1 || missing="$missing npm"
fi
[ -z "$missing" ] && exit 0
sudo=""
if [ "$(id -u)" != 0 ]; then
	command -v sudo >/dev/null 2>&1 || { echo "deps: not root and no sudo; install:$missing" >&2; exit 77; }
	sudo=sudo
fi
echo "deps: installing$missing" >&2
export DEBIAN_FRONTEND=noninteractive
$sudo apt-get update -qq
# shellcheck disable=SC2086 # a list of names
$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
