#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Opens the commitment of one audit event and checks the log up to its signed head, with nothing of Reeve's: sqlite3, openssl, xxd.
#
#   open-commitment.sh DATABASE VERIFIER-KEY [EVENT-ID]
#
# DATABASE: a copy of reeve.db (or of a backup).  VERIFIER-KEY: "verifierKey" of `reeve audit check --json`, best one that you kept from
# earlier.  Without EVENT-ID: the newest event.
set -eu
db=$1
vkey=$2
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
case $db in /*) ;; *) db=$OLDPWD/$db ;; esac
sql() { sqlite3 -readonly "$db" "$1"; }

# ---- 1. the commitment of one event ----
event=$(echo "${3:-}" | tr -d -- - | tr a-f A-F)
[ -n "$event" ] || event=$(sql "SELECT hex(event_id) FROM audit_events ORDER BY at DESC, event_id DESC LIMIT 1")
column() { sql "SELECT hex($1) FROM audit_events WHERE event_id = x'$event'"; }
{ printf 'reeve/audit-event/v1\n'; column bytes | xxd -r -p; } >covered
salt=$(column salt)
mac=$(openssl dgst -sha256 -mac HMAC -macopt "hexkey:$salt" -r covered | cut -d' ' -f1 | tr a-f A-F)
leaf=$(sql "SELECT leaf_index FROM audit_leaves WHERE event_id = x'$event'")
[ -n "$leaf" ] || { echo "the event is not in the log yet" >&2; exit 1; }
tenant=$(column tenant_id)
commitment=$(sql "SELECT hex(substr(content, $leaf % 256 * 32 + 1, 32)) FROM audit_tiles WHERE tenant_id = x'$tenant' AND level = 0 AND tile = $leaf / 256")
[ "$mac" = "$commitment" ] || { echo "the event does not open its commitment" >&2; exit 1; }
echo "event: $(sed 1d covered | cut -c1-100)…"
echo "commitment: opened; leaf $leaf"

# ---- 2. the root of the tree over all leaves (RFC 6962), of the event's tenant ----
sql "SELECT checkpoint FROM audit_heads WHERE tenant_id = x'$tenant'" >checkpoint
size=$(sed -n 2p checkpoint)
sha() { xxd -r -p | openssl dgst -sha256 -r | cut -d' ' -f1; }
sql "SELECT hex(content) FROM audit_tiles WHERE tenant_id = x'$tenant' AND level = 0 ORDER BY tile" | fold -w 64 | head -n "$size" |
	while read -r leaf; do echo "0001$leaf" | sha; done >level
[ "$(wc -l <level)" = "$size" ] || { echo "the database has fewer leaves than were signed" >&2; exit 1; }
# level by level; one that is left over goes up as it is
while [ "$(wc -l <level)" -gt 1 ]; do
	while read -r left; do
		if read -r right; then echo "01$left$right" | sha; else echo "$left"; fi
	done <level >above
	mv above level
done
root=$(xxd -r -p level | base64)
[ "$root" = "$(sed -n 3p checkpoint)" ] || { echo "the root is not the signed one" >&2; exit 1; }
echo "root of $size leaves: $root"

# ---- 3. the signature (C2SP signed-note, Ed25519) ----
key=${vkey#*+} # "<origin>+<8 hex>+<base64 of a type byte and the key>"
echo "${key#*+}" | base64 -d | tail -c 32 >key
{ printf '\060\052\060\005\006\003\053\145\160\003\041\000'; cat key; } | openssl pkey -pubin -inform DER -out key.pem
sed '/^$/,$d' checkpoint >text
sed -n 's/^— [^ ]* //p' checkpoint | base64 -d | tail -c 64 >signature # after the key's id
openssl pkeyutl -verify -pubin -inkey key.pem -rawin -in text -sigfile signature
