package main

import (
	"context"
	"net"
	"os/user"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

type peerKey struct{}

// withPeer keeps the number of the user at the other end of a connection of the control socket, as the kernel tells. It looks
// no name up: nobody else is accepted meanwhile.
func withPeer(ctx context.Context, conn net.Conn) context.Context {
	if uid, known := uidOf(conn); known {
		return context.WithValue(ctx, peerKey{}, uid)
	}
	return ctx
}

func uidOf(conn net.Conn) (uid uint32, known bool) {
	socket, is := conn.(*net.UnixConn)
	if !is {
		return 0, false
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return 0, false
	}
	var of *unix.Ucred
	var credErr error
	if err := raw.Control(func(fd uintptr) { of, credErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) }); err != nil || credErr != nil {
		return 0, false
	}
	return of.Uid, true
}

// lookUpUser is replaced by tests.
var lookUpUser = user.LookupId

// lookUpTime is how long a name may take. In an outage that of a directory, such as LDAP, may never come, and a command is not
// to wait for it.
const lookUpTime = 2 * time.Second

// peer is who has sent a request over the control socket: the user's name, or number.
func peer(ctx context.Context) string {
	uid, known := ctx.Value(peerKey{}).(uint32)
	if !known {
		return "unknown"
	}
	id := strconv.FormatUint(uint64(uid), 10)
	name, lookUp := make(chan string, 1), lookUpUser
	go func() {
		if u, err := lookUp(id); err == nil {
			name <- u.Username
			return
		}
		name <- "uid " + id
	}()
	select {
	case who := <-name:
		return who
	case <-time.After(lookUpTime):
		return "uid " + id
	}
}
