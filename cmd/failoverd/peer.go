package main

import (
	"context"
	"fmt"
	"net"
	"os/user"
	"strconv"

	"golang.org/x/sys/unix"
)

type peerKey struct{}

// withPeer keeps who is at the other end of a connection of the control socket, as the kernel tells: the user's name, or number.
func withPeer(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(ctx, peerKey{}, peerOf(conn))
}

// peer is who has sent a request over the control socket.
func peer(ctx context.Context) string {
	who, _ := ctx.Value(peerKey{}).(string)
	return who
}

func peerOf(conn net.Conn) string {
	socket, is := conn.(*net.UnixConn)
	if !is {
		return "unknown"
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return "unknown"
	}
	var of *unix.Ucred
	var credErr error
	if err := raw.Control(func(fd uintptr) { of, credErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) }); err != nil || credErr != nil {
		return "unknown"
	}
	id := strconv.FormatUint(uint64(of.Uid), 10)
	if u, err := user.LookupId(id); err == nil {
		return u.Username
	}
	return fmt.Sprintf("uid %s", id)
}
