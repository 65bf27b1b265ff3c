//go:build clusters

package clusters_test

import (
	"context"
	"net"
	"os"
	"testing"
	"time"

	"github.com/openova-io/failoverd/e2e/clusters"
)

func TestMain(m *testing.M) { os.Exit(clusters.Main(m)) }

// TestRegions shows what tests rest on: a cut link is cut both ways, a killed region is gone, and both come back.
func TestRegions(t *testing.T) {
	regions := clusters.Up(t, clusters.Options{})
	fsn, hel := regions[0], regions[1]
	listener, err := net.Listen("tcp", clusters.HubIP+":0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	reach := func(from *clusters.Region, address string) error {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		conn, err := from.Dial(ctx, "tcp", address)
		if err == nil {
			conn.Close()
		}
		return err
	}
	reaches := func(want bool, what string, from *clusters.Region, address string) {
		t.Helper()
		if err := reach(from, address); (err == nil) != want {
			t.Errorf("%s: %s reaches %s: got %v, want %v (%v)", what, from.Name, address, err == nil, want, err)
		}
	}
	api := func(r *clusters.Region) string { return r.IP + ":443" }

	reaches(true, "up", fsn, api(hel))
	reaches(true, "up", hel, listener.Addr().String())
	fsn.Cut(t)
	reaches(false, "cut off", fsn, api(hel))
	reaches(false, "cut off", hel, api(fsn))
	reaches(false, "cut off", fsn, listener.Addr().String())
	reaches(true, "cut off", fsn, api(fsn))
	fsn.Heal(t)
	for begun := time.Now(); reach(fsn, api(hel)) != nil; { // an address that was sought in vain is believed absent for a moment
		if time.Since(begun) > time.Minute {
			t.Fatal("healed: fsn does not reach hel after a minute")
		}
		<-time.After(10 * time.Millisecond)
	}

	hel.Kill(t)
	reaches(false, "killed", fsn, api(hel))
	hel.Start(t)
	reaches(true, "started again", fsn, api(hel))
	if out := hel.Kubectl(t, "", "get", "nodes", "--output", "name"); out != "node/hel\n" {
		t.Errorf("hel: nodes: got %q, want node/hel", out)
	}
}
