#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Wipe by installing the machine anew (`wipe = reinstall` in /etc/reeve-agent.conf): the next person gets a working
# machine.
#
# The installer is whatever the owner put into /var/lib/reeve-reinstall at installation:
#
#   vmlinuz, initrd.gz   an installer that runs from memory (Debian's netboot images, with a preseed file inside)
#   cmdline              its kernel command line, for instance: auto=true priority=critical preseed/file=/preseed.cfg
#   SHA256SUMS           of the three files above
#
# The preseed has to take the whole disk (partman-auto, wiping the old partition table).  reeve-agent calls this three
# times, each with REEVE_WIPE_CONFIRM set:
#
#   check    the installer is whole and can be loaded; destroys nothing
#   wipe     loads the installer into memory, ends everyone's sessions, removes all homes, mail, spools and service
#            data, and discards the free blocks; may be run again
#   finish   starts the installer without going through the firmware; from here on the old system is gone
#
# Exit codes: 0 done, 64 called wrongly or without the confirmation, 1 anything else, with the reason on standard error.
set -eu

CONFIRM=destroy-everything-on-this-machine
step=${1:-}
if [ "${REEVE_WIPE_CONFIRM:-}" != "$CONFIRM" ]; then
	echo "wipe-reinstall: only reeve-agent calls this, with its confirmation" >&2
	exit 64
fi
case $step in check | wipe | finish) ;; *)
	echo "usage: wipe-reinstall.sh check|wipe|finish" >&2
	exit 64
	;;
esac

fail() {
	echo "wipe-reinstall: $*" >&2
	exit 1
}

images=/var/lib/reeve-reinstall
[ "$(id -u)" = 0 ] || fail "must be run as root"
for program in kexec sha256sum findmnt; do
	command -v "$program" >/dev/null || fail "$program is not installed"
done

check() {
	for file in vmlinuz initrd.gz cmdline SHA256SUMS; do
		[ -f "$images/$file" ] && [ ! -L "$images/$file" ] || fail "$images/$file is missing"
		[ "$(stat -c %u "$images/$file")" = 0 ] || fail "$images/$file does not belong to root"
	done
	(cd "$images" && sha256sum --quiet --strict --check SHA256SUMS) >/dev/null 2>&1 ||
		fail "the installer is damaged"
	for file in vmlinuz initrd.gz cmdline; do
		grep -q " [ *]$file\$" "$images/SHA256SUMS" || fail "SHA256SUMS does not name $file"
	done
	[ "$(cat /proc/sys/kernel/kexec_load_disabled 2>/dev/null || echo 0)" = 0 ] ||
		fail "this kernel does not allow kexec"
	load
	kexec --unload
}

load() {
	kexec --load "$images/vmlinuz" --initrd="$images/initrd.gz" --command-line="$(cat "$images/cmdline")" ||
		fail "the installer cannot be loaded"
}

# What people and services left.  The programs and the agent's own state stay until the installer has the disk: the
# report has still to be sent.  One file system at a time, never through a link.
data_dirs() {
	for dir in /home /root /srv /opt /usr/local /tmp /var/mail /var/spool /var/backups /var/cache /var/log \
		/var/tmp; do
		[ -d "$dir" ] && [ ! -L "$dir" ] && printf '%s\n' "$dir"
	done
	for dir in /var/lib/*/; do
		dir=${dir%/}
		case ${dir##*/} in
		reeve-agent | reeve-reinstall | dpkg | systemd | NetworkManager | dhcp | dbus) continue ;;
		esac
		[ ! -L "$dir" ] && printf '%s\n' "$dir"
	done
}

# What is mounted from elsewhere is not this machine's: it must survive.
is_local() {
	case $(findmnt --noheadings --raw --output FSTYPE --target "$1" | tail -n 1) in
	'' | nfs* | cifs | smb* | ceph | gluster* | 9p | virtiofs | afs | coda | ocfs2 | gfs2 | autofs | fuse*)
		return 1
		;;
	*) return 0 ;;
	esac
}

# All of one directory, on its own file system and no other.
empty() {
	is_local "$1" || return 0
	find "$1" -xdev -mindepth 1 -delete 2>/dev/null || true
}

# File systems mounted below a directory (a home on a disk of its own) are visited each by itself.
empty_below() {
	findmnt --noheadings --raw --output TARGET --submounts --target "$1" | while read -r mount; do
		mount=$(printf '%b' "$mount") # spaces are written as \x20
		case $mount in "$1"/*) empty "$mount" ;; esac
	done
}

end_sessions() {
	command -v loginctl >/dev/null || return 0
	loginctl list-users --no-legend 2>/dev/null | while read -r uid rest; do
		: "$rest"
		[ "$uid" = 0 ] || loginctl kill-user --signal=KILL "$uid" || true
	done
}

remove_data() {
	swapoff -a || true
	end_sessions
	bad=
	for dir in $(data_dirs); do
		empty_below "$dir"
		empty "$dir"
		case $dir in /home | /root | /srv | /var/mail)
			is_local "$dir" || continue
			[ -z "$(find "$dir" -xdev -mindepth 1 ! -type d 2>/dev/null | head -n 1)" ] || bad="$bad $dir"
			;;
		esac
	done
	[ -z "$bad" ] || fail "files are left in:$bad"
}

# Where the disk supports it, deleted blocks can no longer be read.
discard() {
	command -v fstrim >/dev/null && fstrim --all >/dev/null 2>&1 || true
	sync
}

case $step in
check) check ;;
wipe)
	check
	load
	remove_data
	discard
	;;
finish)
	(load) || true # loaded already; once more does no harm
	sync
	kexec --exec
	;;
esac
