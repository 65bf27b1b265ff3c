#!/bin/sh
# The first process of a machine that is this one, as far as its files go: all that is written stays in memory. It installs
# the Debian package $3 with the configuration in $1/etc, and becomes systemd, in the cgroup $2, with no other units than
# those that the service asks for.
set -e
dir=$1 name=$2 deb=$3

mount --make-rprivate /
mount -t proc proc /proc
mkdir "$dir/machine" && mount -t tmpfs tmpfs "$dir/machine" && cd "$dir/machine"
mkdir upper work root
mount -t overlay overlay -o lowerdir=/,upperdir=upper,workdir=work root
cd root
mount -t proc proc proc
mount --rbind /dev dev
mount -t sysfs sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs tmpfs run
mkdir "sys/fs/cgroup/$name"
echo 0 >"sys/fs/cgroup/$name/cgroup.procs"

cp "$deb" run/failoverd.deb
chroot . dpkg --install /run/failoverd.deb
cp "$dir"/etc/* etc/failoverd/
mkdir -p var/lib/failoverd/witness
chroot . chown -R failoverd: /etc/failoverd/region.key /var/lib/failoverd

mkdir -p run/units/failoverd.service.d
cp usr/lib/systemd/system/failoverd.service run/units/
cat >run/units/failoverd.service.d/test.conf <<END
[Service]
StandardError=append:/run/failoverd.log
ExecStart=
ExecStart=/usr/bin/failoverd run --member-absent hel
END
for target in sysinit basic shutdown network-online multi-user; do
	printf '[Unit]\nDefaultDependencies=no\n' >run/units/$target.target
done
echo 'Wants=failoverd.service' >>run/units/multi-user.target

mkdir run/old
pivot_root . run/old
cd /
umount -l /run/old
exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin container=other SYSTEMD_UNIT_PATH=/run/units \
	/lib/systemd/systemd --system --unit=multi-user.target --log-target=console --show-status=no
