#!/bin/sh
# Installs what `make bench` runs beside Go and what e2e/setup.sh installs: the systems that failoverd is measured beside, from
# Debian's packages. Safe to run again at any time, and quick when up to date.
set -eu

cd "$(dirname "$0")"

self=bench/setup.sh
. ../e2e/setup-common.sh

# Nobody installs at the same time as e2e/setup.sh.
exec 9<../e2e/setup.sh
flock 9

# PostgreSQL's package makes a cluster, which nothing starts: Patroni makes its own.
for program in patroni boothd faketime /usr/lib/postgresql/15/bin/postgres unshare setpriv nsenter ip; do
	PATH=$PATH:/usr/sbin:/sbin command -v $program >/dev/null && continue
	apt_install "Patroni, PostgreSQL and Booth" patroni python3-etcd postgresql-15 booth faketime util-linux iproute2
	break
done
say "up to date."
