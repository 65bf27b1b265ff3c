#!/bin/sh
# Installs D-Bus and polkit, by which a hook of the service may start what needs root, beside what e2e/setup.sh installs. Safe to run
# again at any time, and quick when up to date.
set -eu

cd "$(dirname "$0")/.."
./setup.sh

self=e2e/systemd/setup.sh
. ./setup-common.sh

exec 9<systemd/setup.sh
flock 9

[ -x /usr/lib/polkit-1/polkitd ] || apt_install "D-Bus and polkit" dbus polkitd
