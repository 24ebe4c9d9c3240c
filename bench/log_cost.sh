#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# What the log (salt, HMAC, tiles, checkpoints) costs at the db layer, beside a program that writes the same rows through the same layer; and
# beside one that writes the event's row alone.  In turn, on files that grow alike; CPU time is compared, since the wall time of a group
# commit is the disk's.  ROUNDS (5), CHANGES (40000).
source "$(dirname "$0")/lib.sh"
rounds=${ROUNDS:-5} n=${CHANGES:-40000}
for mode in event rows log; do make_data "$work/$mode"; done
for _ in $(seq "$rounds"); do
	for mode in event rows log; do
		"$build/bench/log_cost" "$work/$mode" "$mode" "$n" | cut -d' ' -f1 >"$work/$mode.now"
		{ calc "$(cat "$work/$mode.now") * 1000000 / $n" 1 && echo; } >>"$work/$mode.us"
	done
	{ calc "$(cat "$work/log.now") / $(cat "$work/rows.now")" 3 && echo; } >>"$work/ratio"
	{ calc "$(cat "$work/log.now") / $(cat "$work/event.now")" 3 && echo; } >>"$work/all"
done
us() { median <"$work/$1.us"; }
report "a change with the log : same rows (goal 1.10)" "$(median <"$work/ratio")" "$(us log) us : $(us rows) us of CPU at the db layer"
report "a change with the log : event alone" "$(median <"$work/all")" "$(us log) us : $(us event) us"
