// Package systemd runs failoverd's service as a host does: installed from its Debian package, hardened, by a real systemd that
// is the first process of a machine in namespaces of its own. That needs root, so the tests have the build tag systemd.
package systemd
