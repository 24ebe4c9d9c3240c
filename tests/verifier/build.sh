#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds the independent verifier:  build.sh BUILD-DIRECTORY  ->  BUILD-DIRECTORY/tests/verifier/reeve-log-verifier
# Ends with 77 where Go or golang.org/x/mod is not installed.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out=$(cd "$1" && pwd)/tests/verifier
gopath=/usr/share/gocode
command -v go >/dev/null 2>&1 || { echo "there is no go (Debian: golang-go)" >&2; exit 77; }
[ -d "$gopath/src/golang.org/x/mod/sumdb/tlog" ] || { echo "there is no golang.org/x/mod (Debian: golang-golang-x-mod-dev)" >&2; exit 77; }
mkdir -p "$out"
[ "$out/reeve-log-verifier" -nt "$here/main.go" ] && exit 0
# Into a file of its own first: two tests may build at once.
GO111MODULE=off GOPATH=$gopath GOCACHE=$out/cache GOFLAGS= go build -o "$out/verifier.$$" "$here/main.go"
mv "$out/verifier.$$" "$out/reeve-log-verifier"
