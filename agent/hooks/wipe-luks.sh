#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Wipe by destroying the keys of every encrypted volume of this machine (`wipe = luks` in /etc/reeve-agent.conf).
#
# What is on the disks stays there as ciphertext that nobody can read any more, and the machine is unusable until it
# is installed again.  reeve-agent calls this three times, each with REEVE_WIPE_CONFIRM set:
#
#   check    everything that is needed is here, and every local file system with data is encrypted; destroys nothing
#   wipe     erases all key slots and verifies that none is left; may be run again
#   finish   powers off at once (the running kernel still holds the keys)
#
# Exit codes: 0 done, 64 called wrongly or without the confirmation, 1 anything else, with the reason on standard error.
set -eu

CONFIRM=destroy-everything-on-this-machine
step=${1:-}
if [ "${REEVE_WIPE_CONFIRM:-}" != "$CONFIRM" ]; then
	echo "wipe-luks: only reeve-agent calls this, with its confirmation" >&2
	exit 64
fi
case $step in check | wipe | finish) ;; *)
	echo "usage: wipe-luks.sh check|wipe|finish" >&2
	exit 64
	;;
esac

fail() {
	echo "wipe-luks: $*" >&2
	exit 1
}

[ "$(id -u)" = 0 ] || fail "must be run as root"
for program in cryptsetup lsblk findmnt awk; do
	command -v "$program" >/dev/null || fail "$program is not installed"
done

# Every LUKS container, open or not, on a disk that is not removable.
containers() {
	lsblk --noheadings --raw --paths --output NAME,FSTYPE,RM | while read -r name type removable; do
		[ "$type" = crypto_LUKS ] && [ "$removable" = 0 ] && printf '%s\n' "$name"
	done | sort -u
}

# Device of a mounted local file system: does it stand on dm-crypt?
encrypted() {
	lsblk --noheadings --raw --inverse --output TYPE "$1" | grep -qx crypt
}

# Mounted local file systems whose data would survive.  /boot and the EFI partition hold the system's boot files and
# no one's data.
uncovered() {
	findmnt --noheadings --raw --output TARGET,SOURCE,FSTYPE |
		while read -r target source type; do
			case $source in /dev/loop* | /dev/sr*) continue ;; /dev/*) ;; *) continue ;; esac
			case $target in /boot | /boot/* | /efi) continue ;; esac
			device=${source%%\[*} # btrfs: /dev/x[/subvolume]
			encrypted "$device" || printf '%s (%s)\n' "$target" "$type"
		done
}

# Plain swap may hold what was in memory.
plain_swap() {
	tail -n +2 /proc/swaps | while read -r name type rest; do
		: "$rest"
		[ "$type" = partition ] || continue
		case $name in /dev/zram*) continue ;; esac
		encrypted "$name" || printf '%s\n' "$name"
	done
}

check() {
	[ -n "$(containers)" ] || fail "this machine has no encrypted volume"
	left=$(uncovered)
	[ -z "$left" ] || fail "not encrypted, so it would survive: $(printf '%s' "$left" | tr '\n' ' ')"
	swap=$(plain_swap)
	[ -z "$swap" ] || fail "swap that is not encrypted: $(printf '%s' "$swap" | tr '\n' ' ')"
}

# LUKS1 says "Key Slot 0: ENABLED", LUKS2 lists the slots that are there below "Keyslots:".
slots_left() {
	dump=$(cryptsetup luksDump "$1") || {
		echo unknown
		return
	}
	printf '%s\n' "$dump" | awk '
		/^Key Slot [0-9]+: ENABLED/ { n++ }
		/^[A-Za-z]/ { inside = ($0 ~ /^Keyslots:/) }
		inside && /^[ \t]+[0-9]+: / { n++ }
		END { print n + 0 }'
}

erase() {
	bad=
	for device in $(containers); do
		cryptsetup luksErase --batch-mode "$device" || bad="$bad $device"
		# detached header backups are not ours to find; the slots on the device are
		[ "$(slots_left "$device")" = 0 ] || bad="$bad $device"
	done
	[ -z "$bad" ] || fail "key slots are left on:$bad"
	sync
}

case $step in
check) check ;;
wipe)
	# a second run finds erased containers, which is fine; the first was checked before anything was destroyed
	erase
	;;
finish)
	# not through the service manager: its programs can no longer be read once memory is short
	sync
	echo 1 >/proc/sys/kernel/sysrq
	echo o >/proc/sysrq-trigger
	;;
esac
