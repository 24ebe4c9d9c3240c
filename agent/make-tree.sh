#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Makes a test device: a directory tree that reeve-agent takes with --root, with hardware, system files and a person's
# real files, and beside it DIR.factory with the factory manifest and content that a wipe brings back.
#
#   make-tree.sh DIR --owner personal|company [--serial S] [--name N]
#
# The factory state is the system without people; personal files, and a settings file that somebody has edited, come
# on top of it. Nothing outside DIR and DIR.factory is written; both must not exist yet (an empty DIR is fine).
set -euo pipefail

usage() {
	echo "usage: make-tree.sh DIR --owner personal|company [--serial S] [--name N]" >&2
	exit 64
}

[ $# -ge 1 ] || usage
dir=$1
shift
owner='' serial='' name=''
while [ $# -gt 0 ]; do
	[ $# -ge 2 ] || usage
	case $1 in
	--owner) owner=$2 ;;
	--serial) serial=$2 ;;
	--name) name=$2 ;;
	*) usage ;;
	esac
	shift 2
done
case $owner in personal | company) ;; *) usage ;; esac
case $dir in '' | / | -*) usage ;; esac
dir=${dir%/}
factory=$dir.factory
if [ -e "$factory" ] || { [ -e "$dir" ] && [ -n "$(ls -A "$dir")" ]; }; then
	echo "make-tree.sh: $dir or $factory exists already" >&2
	exit 73
fi
serial=${serial:-SN-$(od -An -N5 -tx1 /dev/urandom | tr -d ' \n' | tr a-f A-F)}
name=${name:-$owner-$(printf %s "$serial" | tr '[:upper:]' '[:lower:]' | tr -cd '[:alnum:]-')}

umask 022
mkdir -p "$dir"

# put MODE PATH: standard input becomes the file
put() {
	mkdir -p "$(dirname "$dir/$2")"
	cat >"$dir/$2"
	chmod "$1" "$dir/$2"
}
line() { printf '%s\n' "$3" | put "$1" "$2"; }

# What identifies a machine: a different one per device, so that it survives a wipe as it does on real hardware.
hardware() {
	local d=sys/class/dmi/id mac
	mac=02$(od -An -N5 -tx1 /dev/urandom | tr ' ' ':' | tr -d '\n')
	line 0444 $d/sys_vendor "Reeve Test Works"
	if [ "$owner" = company ]; then
		line 0444 $d/product_name "Workbench 14"
		line 0444 $d/chassis_type 10
	else
		line 0444 $d/product_name "Homebook 13"
		line 0444 $d/chassis_type 9
	fi
	line 0400 $d/product_serial "$serial"
	for cpu in 0 1 2 3; do
		printf 'processor\t: %s\nmodel name\t: Reeve Test Processor 3000\ncpu MHz\t\t: 2400.000\n\n' $cpu
	done | put 0444 proc/cpuinfo
	printf 'MemTotal:       16303428 kB\nMemFree:         8123456 kB\n' | put 0444 proc/meminfo
	line 0444 proc/sys/kernel/osrelease 6.1.0-18-amd64
	line 0444 proc/sys/kernel/arch x86_64
	line 0444 sys/block/nvme0n1/size 1000215216
	line 0444 sys/block/nvme0n1/removable 0
	line 0444 sys/block/nvme0n1/device/model "Reeve Test SSD 512GB"
	line 0444 sys/block/dm-0/dm/uuid CRYPT-LUKS2-00112233445566778899aabbccddeeff-root
	line 0444 sys/class/net/lo/address 00:00:00:00:00:00
	line 0444 sys/class/net/eth0/address "$mac"
	line 0444 sys/class/net/eth0/addresses 192.0.2.17
	line 0444 sys/class/net/wlan0/address "${mac%?}f"
	mkdir -p "$dir/sys/class/net/wlan0/wireless"
	line 0444 sys/class/net/docker0/address 02:42:ac:11:00:02
}

system_files() {
	put 0644 etc/os-release <<-'END'
		PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"
		NAME="Debian GNU/Linux"
		VERSION_ID="12"
		VERSION="12 (bookworm)"
		VERSION_CODENAME=bookworm
		ID=debian
	END
	line 0644 etc/debian_version 12.5
	line 0644 etc/hostname "$name"
	printf 'root:x:0:0:root:/root:/bin/bash\nalice:x:1000:1000:Alice:/home/alice:/bin/bash\n' | put 0644 etc/passwd
	printf '# factory settings\ntimeout = 30\n' | put 0640 etc/acme/agent.conf
	printf '# factory settings\nmax = 10\n' | put 0644 etc/limits.conf
	printf '#!/bin/sh\necho factory\n' | put 0755 usr/local/bin/hello
	printf 'Package: base-files\nStatus: install ok installed\nVersion: 12.4+deb12u5\n\n' |
		put 0644 var/lib/dpkg/status
	printf 'Package: bash\nStatus: install ok installed\nVersion: 5.2.15-2+b2\n\n' >>"$dir/var/lib/dpkg/status"
	printf 'Package: gone\nStatus: deinstall ok config-files\nVersion: 1.0\n\n' >>"$dir/var/lib/dpkg/status"
	mkdir -p "$dir/home" "$dir/root" "$dir/tmp" "$dir/var/cache"
	chmod 0700 "$dir/root"
	chmod 1777 "$dir/tmp"
	ln -s ../usr/lib/os-release "$dir/etc/os-release.link"
}

# The manifest: type, mode, SHA-256 (a link's is of its target), path; in the order of the paths.
manifest() {
	(
		cd "$1"
		find . -mindepth 1 -printf '%P\n' | LC_ALL=C sort | while IFS= read -r path; do
			if [ -L "$path" ]; then
				printf 'l 0777 %s %s\n' "$(readlink -n "$path" | sha256sum | cut -c1-64)" "$path"
			elif [ -d "$path" ]; then
				printf 'd %04o - %s\n' "0$(stat -c %a "$path")" "$path"
			else
				printf 'f %04o %s %s\n' "0$(stat -c %a "$path")" \
					"$(sha256sum <"$path" | cut -c1-64)" "$path"
			fi
		done
	)
}

person() {
	local h=home/$1
	mkdir -p "$dir/$h/Pictures/2024" "$dir/$h/.config" "$dir/$h/.ssh"
	head -c 300000 /dev/urandom | put 0644 "$h/Pictures/2024/beach.jpg"
	head -c 150000 /dev/urandom | put 0600 "$h/Pictures/2024/grandmother.jpg"
	printf 'Dear diary, %s wrote this on a quiet day.\n' "$1" | put 0600 "$h/Documents/notes.txt"
	printf -- '-----BEGIN OPENSSH PRIVATE KEY-----\n%s\n-----END OPENSSH PRIVATE KEY-----\n' \
		"$(head -c 90 /dev/urandom | base64 -w 64)" | put 0600 "$h/.ssh/id_ed25519"
	printf 'ls\ncat Documents/notes.txt\n' | put 0600 "$h/.bash_history"
	printf '[mine]\ncolour = blue\n' | put 0644 "$h/.config/editor.ini"
	ln -s Documents/notes.txt "$dir/$h/today"
	chmod 0700 "$dir/$h/.ssh"
	chmod 0750 "$dir/$h"
	find "$dir/$h" -exec touch -h -d '2024-03-05 06:07:08.123456789 UTC' {} +
}

hardware
system_files
mkdir -p "$factory"
cp -a "$dir" "$factory/content"
manifest "$factory/content" >"$factory/factory.manifest"

# What happened to the device since it left the factory.
printf '# edited by the owner\nmax = 99\n' | put 0604 etc/limits.conf
touch -d '2024-01-02 03:04:05.678901234 UTC' "$dir/etc/limits.conf"
person alice
person bob
printf 'root keeps a note too\n' | put 0600 root/note.txt
echo "$dir: $owner device $name, serial number $serial"
