#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The story of `make run`: the whole mission once, on this machine, with the real server, the real command line and the real agent.
# Test devices are directory trees below var/; this very machine enrols as well, inventory only: nothing is put on it, nothing is wiped.
# Each step prints what was asked and what came back.  The last line is `story: N passed, N failed`; exit 0 only if every step held.
#
#   ONCE=1   stop after the story (otherwise the server stays up until Ctrl-C)
#   PORT=N   the API's port (default: a free one from 8443 on; devices use the next)
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
build=$PWD/${BUILD:-build}
reeve=$build/reeve agent=$build/reeve-agent
export XDG_STATE_HOME=$PWD/var/state # what audit verify remembers
var=$PWD/var dir=$PWD/var/reeve
passed=0 failed=0 server=

if [ -t 1 ]; then bold=$'\e[1m' dim=$'\e[2m' red=$'\e[31m' green=$'\e[32m' off=$'\e[0m'; else bold='' dim='' red='' green='' off=''; fi
chapter() { printf '\n%s%s%s\n' "$bold" "$1" "$off"; }
asked() { printf '  %s$ %s%s\n' "$dim" "$*" "$off"; }
came() { sed 's/^/    /' | cut -c1-200 | head -"${1:-8}"; }
holds() { # holds TEXT COMMAND…: one step of the story
	local text=$1
	shift
	if "$@"; then
		passed=$((passed + 1))
		printf '  %s✓%s %s\n' "$green" "$off" "$text"
	else
		failed=$((failed + 1))
		printf '  %s✗ %s%s\n' "$red" "$text" "$off"
	fi
}
out= code=0
ask() { # asks by the command line; the answer is in $out, its exit status in $code
	asked reeve "$@"
	out=$("$reeve" "$@" --data "$dir" 2>&1)
	code=$?
	printf '%s\n' "$out" | came "${LINES_SHOWN:-8}"
}
quiet() { out=$("$reeve" "$@" --data "$dir" 2>&1); code=$?; }
device() { # device TREE SUBCOMMAND …: the agent of a test device
	local tree=$1
	shift
	asked reeve-agent "$1" --root "${tree#"$PWD"/}" "${@:2}"
	out=$("$agent" "$1" --root "$tree" "${@:2}" 2>&1)
	code=$?
	printf '%s\n' "$out" | came
}
json() { jq -r "$1" <<<"$out" 2>/dev/null; }
has() { grep -qF -- "$1" <<<"$out"; }
done_well() { [ "$code" = 0 ]; }
refused() { [ "$code" = 77 ] || [ "$code" = 65 ]; }
# The personal part of a device, byte for byte: names, modes, sizes, times and content.
personal() { (cd "$1" && find home -printf '%p %m %s %T@\n' -type f -exec sha256sum {} + | sort | sha256sum); }
wait_for() { # wait_for SECONDS COMMAND…
	local left=$(($1 * 5))
	shift
	until "$@"; do
		left=$((left - 1))
		[ "$left" -gt 0 ] || return 1
		sleep 0.2
	done
}
finish() {
	[ -n "$server" ] && kill -TERM "$server" 2>/dev/null && wait "$server" 2>/dev/null
	server=
}
trap finish EXIT
trap 'finish; exit 130' INT TERM

free_port() { # two free ports in a row
	local p=${PORT:-8443}
	while (exec 3<>"/dev/tcp/127.0.0.1/$p") 2>/dev/null || (exec 3<>"/dev/tcp/127.0.0.1/$((p + 1))") 2>/dev/null; do p=$((p + 2)); done
	echo "$p"
}
enrol() { # enrol UPN personal|company TREE [options]
	local upn=$1 owner=$2 tree=$3 token
	shift 3
	ask device token "$upn" "$owner" --json >/dev/null
	token=$(json .token)
	printf '%s' "$token" >"$var/token"
	asked "reeve-agent enroll --url $device_url --ca … --token-file … --accept-terms $*"
	out=$("$agent" enroll ${tree:+--root "$tree"} --url "$device_url" --ca "$dir/tls/ca.pem" --token-file "$var/token" --accept-terms "$@" 2>&1)
	code=$?
	rm -f "$var/token"
	printf '%s\n' "$out" | came
}
device_of() { quiet device list --json; jq -r ".value[] | select(.deviceName==\"$1\") | .id" <<<"$out"; }
gone() { quiet device show "$1"; [ "$code" = 66 ]; }
duty_state() { # of a user or device id
	quiet erase list --json
	jq -r "[.value[] | select(.subjectId==\"$1\")] | last | .state // \"none\"" <<<"$out" 2>/dev/null
}

chapter "A new installation"
rm -rf "$var"
mkdir -p "$var"
port=$(free_port)
url=https://127.0.0.1:$port device_url=https://127.0.0.1:$((port + 1))
asked reeve init --data var/reeve --url "$url" --json
out=$("$reeve" init --data "$dir" --url "$url" --organisation "Acme Works" --json 2>&1)
code=$?
jq 'with_entries(if (.key|ascii_downcase|endswith("token")) then .value = "(kept secret)" else . end)' <<<"$out" 2>/dev/null | came 12
holds "init makes keys, a certificate authority, the database, the first tenant and its administrator" done_well
token=$(json .token)
holds "keys are the owner's alone" bash -c "! find '$dir/keeper' '$dir/secrets' '$dir/credentials' '$dir/tls/server.key' -perm /077 -type f | grep -v ca.pem | grep ."
asked reeve serve --data var/reeve
"$reeve" serve --data "$dir" 2>"$var/reeve.log" &
server=$!
ready() { curl -sf --cacert "$dir/tls/ca.pem" "$url/readyz" >/dev/null; }
holds "the server answers on $url" wait_for 20 ready

chapter "People and groups"
ask user create anna.meier@acme.example displayName="Anna Meier" givenName=Anna surname=Meier mobilePhone="+49 170 5550123" mail=anna.meier@acme.example --json
holds "a user is created, in Graph's shape" done_well
anna=$(json .id)
ask user create bert.olsen@acme.example displayName="Bert Olsen" mail=bert.olsen@acme.example --json
bert=$(json .id)
holds "and another, who will stay" done_well
ask group create "Field staff" --json
group=$(json .id)
quiet group add "$group" "$anna"
ask group add "$group" "$bert"
holds "both are members of a group" done_well

chapter "What the organisation tells and provides"
ask config create-terms displayName="Privacy notice" title="What we hold about you" \
	bodyText="We manage devices that you use for work. We see hardware, system version and what we put on the device, and nothing personal." \
	acceptanceStatement="I have read this." --json
holds "a privacy notice that is shown before enrolment" done_well
provide() { # provide NAME JSON
	printf '%s' "$2" >"$var/item.json"
	ask config create --file "$var/item.json" --json
	local id
	id=$(json .id)
	quiet config assign "$id" "$group"
	rm -f "$var/item.json"
	holds "$1, assigned to the group" done_well
}
provide "a settings file" '{"@odata.type":"#microsoft.graph.linuxSettingsFileConfiguration","displayName":"Proxy settings","path":"/etc/acme/proxy.conf","content":"proxy = proxy.acme.example:3128\n","mode":"0644"}'
provide "a Wi-Fi profile" '{"@odata.type":"#microsoft.graph.linuxWiFiConfiguration","displayName":"Office Wi-Fi","ssid":"ACME","security":"wpaPersonal","passphrase":"correct horse battery"}'
provide "an e-mail profile" '{"@odata.type":"#microsoft.graph.linuxEmailProfileConfiguration","displayName":"Mail","accountName":"Acme mail","emailAddress":"{{mail}}","incomingServer":"imap.acme.example","incomingPort":993,"incomingProtocol":"imap","outgoingServer":"smtp.acme.example","outgoingPort":465,"userName":"{{userPrincipalName}}"}'

chapter "Devices enrol"
phone=$var/devices/anna-laptop desk=$var/devices/anna-desk bye=$var/devices/bert-netbook
agent/make-tree.sh "$phone" --owner personal --serial PERS-1001 --name anna-laptop >/dev/null
agent/make-tree.sh "$desk" --owner company --serial COMP-2002 --name anna-desk >/dev/null
agent/make-tree.sh "$bye" --owner personal --serial PERS-3003 --name bert-netbook >/dev/null
before=$(personal "$phone")
(cd "$phone" && find . -path ./var/lib/reeve-agent -prune -o -type f -print0 | sort -z | xargs -0 sha256sum) >"$var/before.sums"
enrol anna.meier@acme.example personal "$phone"
holds "Anna's own laptop (a directory tree with her files)" done_well
enrol anna.meier@acme.example company "$desk"
holds "Anna's company desktop" done_well
enrol bert.olsen@acme.example personal "$bye"
holds "Bert's own netbook" done_well
enrol bert.olsen@acme.example company "" --state "$var/this-machine" --inventory-only
holds "this very machine: inventory only, nothing is ever put on it" done_well
for tree in "$phone" "$desk" "$bye"; do device "$tree" sync; holds "$(basename "$tree") checks in" done_well; done
asked reeve-agent sync --state var/this-machine
out=$("$agent" sync --state "$var/this-machine" 2>&1)
code=$?
printf '%s\n' "$out" | came
holds "this machine checks in" done_well
holds "the settings file is on the laptop" test -f "$phone/etc/acme/proxy.conf"
holds "the Wi-Fi profile too, readable by root only" bash -c "test \"\$(stat -c %a '$phone'/etc/NetworkManager/system-connections/*.nmconnection)\" = 600"
holds "the e-mail profile carries Anna's own address" grep -rqs anna.meier@acme.example "$phone/etc/reeve/email"
ask device list
holds "four devices, as the administrator sees them" test "$(wc -l <<<"$out")" = 4
laptop=$(device_of anna-laptop) desktop=$(device_of anna-desk) netbook=$(device_of bert-netbook)
quiet device list --json
here=$(jq -r '.value[] | select(.managedDeviceOwnerType=="company" and .deviceName!="anna-desk") | .id' <<<"$out")
ask device show "$here"
holds "this machine's memory is what the kernel says" has "$(($(awk '/MemTotal/ {print $2}' /proc/meminfo) * 1024))"

chapter "The audit log"
LINES_SHOWN=14 ask audit list
holds "every step so far is one event" has "enroll ManagedDevice"
ask api DELETE "/v1.0/deviceManagement/auditEvents/$anna"
holds "nobody deletes an event (405), and the attempt is one" test "$code" != 0
sleep 1.2
ask audit checkpoint
holds "the log's head is signed" has "/log/"
LINES_SHOWN=10 ask audit verify
holds "every event opens its commitment, the tree has the signed root" has verified
ask audit mirror "$var/mirror" --events
holds "anybody can keep a copy" done_well
asked reeve audit verify var/mirror
out=$("$reeve" audit verify "$var/mirror" 2>&1)
code=$?
printf '%s\n' "$out" | came 10
holds "and check it without the server" has verified

chapter "Everything held about Anna"
ask export user anna.meier@acme.example --out "$var/anna.zip"
holds "one zip" done_well
asked unzip -l var/anna.zip
unzip -l "$var/anna.zip" | came 30
holds "with a page that she can read" bash -c "unzip -p '$var/anna.zip' README.html | grep -q 'Anna Meier'"
holds "and sums that hold" bash -c "unzip -p '$var/anna.zip' manifest.json | jq -r '.files[] | .sha256 + \"  \" + .name' | (t=\$(mktemp -d); cd \$t && unzip -q '$var/anna.zip' && sha256sum -c --quiet -; r=\$?; rm -rf \$t; exit \$r)"
holds "nothing of Bert in it" bash -c "! (t=\$(mktemp -d); cd \$t && unzip -q '$var/anna.zip'; grep -rqs -e bert.olsen -e 'Bert Olsen' .; r=\$?; rm -rf \$t; exit \$r)"
asked reeve export verify var/anna.zip
out=$("$reeve" export verify "$var/anna.zip" 2>&1)
code=$?
printf '%s\n' "$out" | came 10
holds "signed, and each file as it was, checked without the server" has verified

chapter "Anna asks by letter what is held about her"
ask request open access userPrincipalName=anna.meier@acme.example channel=letter --json
request=$(json .id)
holds "the clock of a month runs" test "$(json .regime)" = gdpr
ask request verify "$request" callBack
ask request discover "$request"
holds "what is held is counted" has '"account":1'
LINES_SHOWN=20 ask request preview "$request"
holds "an officer sees what she will see" has account
ask request decide "$request" grant
holds "granted: her copy is made" done_well
ask export user anna.meier@acme.example --request "$request" --out "$var/answer.zip"
holds "and handed over" done_well
ask request list
holds "the case is answered in time" has "none overdue"
ask request close "$request" "outcome=handed over"
holds "and closed; it is kept for 24 months" done_well

chapter "Retire the personal laptop"
ask device wipe "$laptop"
holds "a wipe of a personal Linux device is refused" refused
ask device retire "$laptop"
holds "retire is accepted" done_well
ask device show "$laptop"
holds "and pending until the device has said so" has retirePending
device "$phone" sync
holds "the laptop takes back what was provided" done_well
holds "the provided files are gone" bash -c "! test -e '$phone/etc/acme/proxy.conf' && ! ls '$phone'/etc/NetworkManager/system-connections/reeve-* 2>/dev/null | grep -q ."
holds "her own files are byte for byte as before" test "$(personal "$phone")" = "$before"
(cd "$phone" && find . -path ./var/lib/reeve-agent -prune -o -type f -print0 | sort -z | xargs -0 sha256sum) >"$var/after.sums"
holds "so is the rest of the laptop" cmp -s "$var/before.sums" "$var/after.sums"
holds "its record is gone from the service" wait_for 60 gone "$laptop"

chapter "Wipe the company desktop"
ask device wipe "$desktop"
holds "wipe is accepted" done_well
device "$desk" sync
holds "the desktop goes back to its factory state" done_well
holds "Anna's files on it are gone" bash -c "! find '$desk/home' -type f 2>/dev/null | grep -q ."
holds "its record is gone from the service" wait_for 60 gone "$desktop"

chapter "Bert leaves with his own netbook, without any administrator"
asked reeve-agent leave --state var/this-machine
out=$("$agent" leave --state "$var/this-machine" 2>&1)
code=$?
printf '%s\n' "$out" | came
holds "a company device is refused" test "$code" = 77
device "$bye" leave
holds "a personal one may" done_well
holds "its record is gone from the service" wait_for 60 gone "$netbook"

chapter "Delete Anna, think again, delete her for good"
ask user delete anna.meier@acme.example
holds "deleted in the directory: restorable for 30 days" done_well
holds "a duty to delete exists and waits" test "$(duty_state "$anna")" = scheduled
ask user restore "$anna"
holds "restored" done_well
holds "the duty is cancelled" test "$(duty_state "$anna")" = cancelled
quiet user delete anna.meier@acme.example
ask erase preview "$anna"
ask erase user "$anna"
holds "deleted for good" done_well
quiet user show anna.meier@acme.example
holds "invisible at once" test "$code" = 66
certificate_of_anna() {
	quiet erase certificates --json
	certificate=$(jq -r '[.value[] | select(.kind == "activeData")] | sort_by(.issuedDateTime) | last | .id' <<<"$out" 2>/dev/null)
	quiet erase certificate "$certificate" --json
	[ "$code" = 0 ] && jq -e '.certificate.trigger == "permanentDelete" and .logProof != null' <<<"$out" >/dev/null 2>&1
}
holds "the duty runs, and a certificate is signed" wait_for 90 certificate_of_anna
printf '%s\n' "$out" >"$var/certificate.json"
asked jq .certificate var/certificate.json
jq -c .certificate "$var/certificate.json" | fold -w 190 | came 12
asked reeve erase verify var/certificate.json
out=$("$reeve" erase verify "$var/certificate.json" 2>&1)
code=$?
printf '%s\n' "$out" | came
holds "it verifies offline" done_well
sed 's/permanentDelete/selfRemoval/' "$var/certificate.json" >"$var/forged.json"
holds "and one changed word is found" bash -c "! '$reeve' erase verify '$var/forged.json' 2>/dev/null"

chapter "Look at the bytes"
asked "grep -c of her phone number and of her id over the database's files"
bytes_gone() { # outside the audit log: neither the phone number nor the laptop's serial may be anywhere
	! grep -qaF -e '+49 170 5550123' "$dir"/reeve.db*
}
holds "no byte of her phone number is left in the database's files" bytes_gone
rows_gone() { # her name may stand in audit events and nowhere else
	local t n
	for t in $(sqlite3 "file:$dir/reeve.db?mode=ro" "SELECT name FROM sqlite_schema WHERE type='table' AND name NOT LIKE 'audit_events'"); do
		n=$(sqlite3 "file:$dir/reeve.db?mode=ro" ".dump $t" | grep -c -i -e 'anna.meier' -e 'Anna Meier' -e "${anna//-/}" || true)
		[ "$n" = 0 ] || { echo "    $t: $n"; return 1; }
	done
}
holds "her name and id stand in the audit log and in no other table" rows_gone
holds "Bert is as he was" bash -c "'$reeve' user show bert.olsen@acme.example --data '$dir' | grep -q 'Bert Olsen'"
LINES_SHOWN=10 ask audit list --query '$top=10'
holds "the audit log still tells the story" has ErasureDuty
LINES_SHOWN=10 ask audit verify
holds "and still verifies, as the continuation of what was seen before" has "continues    size"

chapter "A second tenant comes and goes"
ask tenant create "Globex" --json
globex=$(json '.tenantId // .id')
holds "the operator creates a tenant" done_well
(umask 077; jq '{tenant: (.tenantId // .id)} + .administrator' <<<"$out" >"$var/globex.json")
ask tenant close "$globex" --justification "the contract has ended"
holds "nobody closes one alone: a second person approves it" has "tenant complete"
request=$(grep -o 'tenant complete .*' <<<"$out" | awk '{print $NF}')
ask approval approve "$request" --credentials "$var/globex.json"
holds "its administrator does" done_well
ask tenant complete "$globex" "$request"
holds "and it is closed" done_well
ask tenant show "$globex"
holds "its data goes within 180 days; the purge starts earlier" has closing
ask tenant list
holds "Acme Works stays" has "Acme Works"
ask user list
holds "with Bert to look at" has bert.olsen

if [ "$failed" -gt 0 ]; then
	echo
	echo "The server's last words (var/reeve.log):"
	grep -v 'event=request' "$var/reeve.log" | tail -8
fi
if [ -n "${ONCE:-}" ]; then
	finish
else
	cat <<TEXT

${bold}The server is up.${off} Stop it with Ctrl-C.
  API        $url      (CA: var/reeve/tls/ca.pem)
  devices    $device_url
  sign in    export REEVE_URL=$url REEVE_CA=$dir/tls/ca.pem REEVE_TOKEN=…   (the token is in var/token.txt)
             build/reeve user list          or, on this machine:  build/reeve user list --data var/reeve
  a person   build/reeve account create you@acme.example --role Administrator --data var/reeve, then $url/signin
TEXT
	(umask 077 && printf '%s\n' "$token" >"$var/token.txt")
	echo "story: $passed passed, $failed failed"
	wait "$server"
	server=
	exit $((failed > 0))
fi
echo "story: $passed passed, $failed failed"
exit $((failed > 0))
