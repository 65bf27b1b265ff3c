package config

import (
	"net"
	"net/netip"
	"path"
	"regexp"
	"strconv"
	"strings"
)

// hostSyntax is a name that a listener may be bound to.
var hostSyntax = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$`)

// groupSyntax is the name of a group, as groupadd takes it.
var groupSyntax = regexp.MustCompile(`^[a-z_][a-z0-9_-]{0,31}$`)

// isListen reports whether s is an address to listen on, with a port that is
// not below lowest.
func isListen(s string, lowest uint64) bool {
	host, digits, err := net.SplitHostPort(s)
	if err != nil || strings.Trim(digits, "0123456789") != "" {
		return false
	}
	port, err := strconv.ParseUint(digits, 10, 16)
	if err != nil || port < lowest {
		return false
	}
	_, err = netip.ParseAddr(host)
	return host == "" || err == nil || hostSyntax.MatchString(host)
}

// maxSocket is how long the path of a unix socket may be: what Linux has room
// for in sockaddr_un, less the NUL at its end.
const maxSocket = 107

// api checks where the daemon is asked and told.
func (v *validator) api() {
	v.text("api.listen", v.c.API.Listen, func(s string) bool { return isListen(s, 0) })
	socket := v.c.API.Socket
	v.text("api.socket", socket, func(s string) bool { return isAbs(s) && path.Clean(s) == s && s != "/" })
	if v.c.API.Group != "" {
		v.text("api.group", v.c.API.Group, groupSyntax.MatchString)
	}
	v.must(len(socket) <= maxSocket, "api.socket", "found a path of %d bytes, expected one of at most %d: the kernel takes no longer one for a socket", len(socket), maxSocket)
}
