#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Prints the route table as Markdown.  --write puts it between the markers of docs/operating/api.md; --check fails where it differs.
set -eu
cd "$(dirname "$0")/.."
page=docs/operating/api.md
table() {
	echo "| method | path | listener | who may |"
	echo "|---|---|---|---|"
	"${BUILD:-build}/reeve" routes --json | jq -r '
		sort_by(.path, .method)[] |
		(if .public then "anybody" elif .access == "log" then "readers of the log; anybody where it is published" elif .access == "device" then "a device, by its certificate"
		 elif (.permission // "") == "" then "any token" else (.permission | split("|") | map("`" + . + "`") | join(" or ")) end) as $who |
		"| \(.method) | `\(.path)` | \({api: "API", device: "devices", both: "both"}[.listener] // .listener) | \($who) |"'
}
page() {
	sed '/<!-- routes: begin/q' $page
	echo
	table
	echo
	sed -n '/<!-- routes: end/,$p' $page
}
case ${1:-} in
"") table ;;
--write) page >"$page.new" && mv "$page.new" "$page" ;;
--check) page | cmp -s - "$page" || { echo "$page: the route table is old: scripts/routes-table.sh --write" >&2; exit 1; } ;;
*) echo "usage: scripts/routes-table.sh [--write | --check]" >&2; exit 64 ;;
esac
