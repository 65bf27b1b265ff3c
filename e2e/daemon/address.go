package daemon

import (
	"fmt"
	"math/rand/v2"
	"net"
	"testing"
)

// FreeAddress is one that nobody listens at, for a program that does not say which it has chosen, or is started anew at it. Nobody
// else takes its port meanwhile, as others do of 127.0.0.1: it is of an address of loopback that is drawn.
func FreeAddress(tb testing.TB) string {
	tb.Helper()
	l, err := net.Listen("tcp", fmt.Sprintf("127.%d.%d.%d:0", 64+rand.IntN(64), rand.IntN(256), 1+rand.IntN(254)))
	if err != nil {
		tb.Fatalf("find a free address: %v", err)
	}
	defer l.Close()
	return l.Addr().String()
}
