#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Logs that src/tlog wrote, under the independent verifier:  check.sh BUILD-DIRECTORY MAKE_LOG
# Good ones of several shapes pass; one byte of any file turned, a file missing or cut, another log's head fail.
set -u
here=$(dirname "$0")
make_log=$2
verifier=$1/tests/verifier/reeve-log-verifier
"$here/build.sh" "$1"
case $? in
0) ;;
77)
	echo "1..0 # SKIP the independent verifier cannot be built: install golang-go and golang-golang-x-mod-dev"
	exit 77
	;;
*) exit 1 ;;
esac
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
n=0
say() { # say STATUS WHAT
	n=$((n + 1))
	[ "$1" = 0 ] && echo "ok $n - $2" || { echo "not ok $n - $2" && cat "$work/said" >&2; }
}
passes() { # passes WHAT SIZE ARGUMENT...
	what=$1 size=$2
	shift 2
	"$verifier" "$@" >"$work/said" 2>&1 && [ "$(cat "$work/said")" = "ok $size" ]
	say $? "$what"
}
fails() { # fails WHAT PATTERN ARGUMENT...
	what=$1 pattern=$2
	shift 2
	"$verifier" "$@" >"$work/said" 2>&1
	[ $? = 1 ] && grep -q -- "$pattern" "$work/said"
	say $? "$what"
}
turn() { # turn FILE: the lowest bit of the byte in its middle
	at=$(($(wc -c <"$1") / 2))
	byte=$(od -An -tu1 -j "$at" -N 1 "$1")
	# shellcheck disable=SC2059 # the byte is the format
	printf "\\$(printf %o $((byte ^ 1)))" | dd of="$1" bs=1 seek="$at" conv=notrunc 2>/dev/null
}

for size in 0 1 255 256 257 66000; do
	"$make_log" "$work/$size" "$size"
	passes "a log of $size" "$size" "$work/$size"
done
"$make_log" "$work/log" 600 0 1 255 256 300 599 600
passes "a log of 600 that continues its heads" 600 "$work/log" "$work"/log/checkpoint.*
cp "$work/log/checkpoint.300" "$work/log/witnessed"
passes "a log with a witnessed head" 600 "$work/log"
cp -r "$work/log" "$work/wider"
for file in tile/0/002.p/88 tile/entries/002.p/88; do rm -r "$work/wider/${file%/*}"; done
"$make_log" "$work/longer" 800
cp "$work/longer/tile/0/002" "$work/wider/tile/0/002"
cp "$work/longer/tile/entries/002" "$work/wider/tile/entries/002"
passes "a log whose partial tiles made way for the full ones" 600 "$work/wider"

(cd "$work/log" && find checkpoint key tile -type f) | sort >"$work/files"
while read -r file; do
	for how in turned cut missing; do
		rm -rf "$work/bad" && cp -r "$work/log" "$work/bad"
		case $how in
		turned) turn "$work/bad/$file" ;;
		cut) truncate -s -1 "$work/bad/$file" ;;
		missing) rm "$work/bad/$file" ;;
		esac
		[ "$file $how" = "key cut" ] && continue # its newline is not needed
		fails "$file $how" . "$work/bad"
	done
done <"$work/files"
"$make_log" "$work/fork" 600x 300
fails "the head of a fork" . "$work/log" "$work/fork/checkpoint.300"
fails "the head of a longer log" "had 800 entries" "$work/log" "$work/longer/checkpoint"
fails "no log" . "$work/nothing"
echo "1..$n"
