package changes

import (
	"os"
	"testing"
	"time"

	"github.com/openova-io/failoverd/e2e/daemon"
	"github.com/openova-io/failoverd/lease"
)

// TestChanges makes one change after the other.
func TestChanges(t *testing.T) {
	w := newWorld(t)
	active := w.settled()

	t.Log("a safety parameter")
	w.Params.TTL = 8 * time.Second
	w.roll(active)
	active = w.settled()

	t.Log("the key of a standby; the flag that it has left is made anew by a switchover")
	other := lease.Region("hel")
	if active == other {
		other = "fsn"
	}
	w.newKey(other)
	w.roll(active)
	w.await(active, "is active", func(s daemon.Status) bool { return s.State == lease.Active })
	w.does(active, "switchover", "--to", string(other), "--reason", "its flag anew", "--yes")
	active = w.settled()
	if active != other {
		t.Errorf("%s is active, want %s, as it was told", active, other)
	}

	t.Log("a region more")
	w.Params.Members = []lease.Region{"fsn", "hel", "nbg"}
	w.write("nbg")
	w.region("nbg").Start(t)
	w.await("nbg", "stands by", standby)
	w.roll(active, "nbg")
	active = w.settled()

	t.Log("a region less")
	if active == "nbg" {
		w.does("nbg", "switchover", "--to", "fsn", "--reason", "nbg goes", "--yes")
		active = "fsn"
		w.await("fsn", "is active", func(s daemon.Status) bool { return s.State == lease.Active })
	}
	w.stop("nbg")
	w.Params.Members = []lease.Region{"fsn", "hel"}
	w.roll(active)
	active = w.settled()

	t.Log("another witness")
	w.prefix = "moved"
	w.roll(active)
	active = w.settled()

	t.Log("the witness emptied: nobody takes, for two TTLs")
	w.empty()
	w.stays(active, 2*w.Params.TTL)

	t.Log("state_dir lost, of the active region, whose agent dies")
	if err := w.region(active).Process().Kill(); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(w.region(active).StateDir()); err != nil {
		t.Fatal(err)
	}
	w.region(active).Start(t)
	w.settled()

	w.neverTwo()
}
