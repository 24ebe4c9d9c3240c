#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Scrubbing and scanning a store with a million audit events while writers commit: how long one of them waits at most.
# EVENTS (1000000), SECONDS_ALONE (5).
source "$(dirname "$0")/lib.sh"
events=${EVENTS:-1000000} seconds=${SECONDS_ALONE:-5}

make_data "$work/server"
"$build/bench/fill_log" "$dir" "$events" 330
read -r alone alone_most during during_most scrub scan before after mib <<<"$("$build/bench/scrub_wait" "$dir" "$seconds")"
report "a writer's longest wait in ms (goal 100)" "$during_most" "p99 $during; alone: longest $alone_most, p99 $alone; $events events, $mib MiB"
report "a scan in ms" "$scan" "$mib MiB for 192 identifiers; a scrub $scrub; commits a second $after, alone $before"
