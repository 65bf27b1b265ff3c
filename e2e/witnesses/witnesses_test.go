// Package witnesses_test runs real daemons on three witnesses of three kinds: a namespace of Workers KV that is as stale as
// its bound allows, a Durable Object in workerd, and etcd.
package witnesses_test

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/openova-io/failoverd/agent/bootclock"
	"github.com/openova-io/failoverd/e2e/daemon"
	"github.com/openova-io/failoverd/e2e/durableobject"
	"github.com/openova-io/failoverd/e2e/etcd"
	"github.com/openova-io/failoverd/lease"
	"github.com/openova-io/failoverd/lease/witness/cloudflarekv/kvtest"
)

// staleness is the bound of the KV witness, which is never below half of it.
const staleness = 6 * time.Second

type world struct {
	t      *testing.T
	group  *daemon.Group
	kv     *kvtest.Server
	worker *durableobject.Server
	etcd   *etcd.Cluster
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, kv: kvtest.New(kvtest.Options{}), worker: durableobject.Start(t, durableobject.Options{}), etcd: etcd.Start(t, 1)}
	t.Cleanup(w.kv.Close)
	w.age(staleness / 2)
	times := daemon.ShortTimes("fsn", "hel")
	times.Staleness = staleness
	times.Witnesses = []lease.WitnessParams{{Name: "kv", Staleness: staleness}, {Name: "worker"}, {Name: "etcd"}}
	w.group = daemon.NewGroupOn(t, daemon.Build(t, true), times, nil, func(r *daemon.Region) string {
		token := r.Path("kv-token")
		if err := os.WriteFile(token, []byte(kvtest.Token), 0o600); err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("[{name: kv, type: cloudflare-kv, staleness: %v, cloudflare_kv: {account_id: %s, namespace_id: %s, api_token_file: %q, base_url: %q}}, %s, %s]",
			staleness, kvtest.AccountID, kvtest.NamespaceID, token, w.kv.URL,
			"{name: worker, "+w.worker.Witness(w.worker.URL)[1:],
			fmt.Sprintf("{name: etcd, type: etcd, etcd: {endpoints: [%q]}}", w.etcd.Members[0].URL))
	})
	for _, r := range w.group.Regions {
		r.Start(t)
	}
	return w
}

// age sets how stale reads of the KV witness are.
func (w *world) age(d time.Duration) {
	w.kv.SetFaults(kvtest.Token, kvtest.Faults{Staleness: d, Caches: 2})
}

// renews waits until a region has renewed, for a whole TTL from now on.
func (w *world) renews(r *daemon.Region) {
	w.t.Helper()
	at := bootclock.Clock{}.Now()
	daemon.Await(w.t, string(r.Name)+" has renewed for a TTL", func() bool { return r.Authority(w.t).Deadline > at.Add(2*w.group.Params.TTL) })
}

// up waits until a region finds a witness up, or down.
func (w *world) up(r *daemon.Region, name string, up bool) {
	w.t.Helper()
	daemon.Await(w.t, fmt.Sprintf("%s finds %s up: %v", r.Name, name, up), func() bool {
		s, err := r.Status(w.t.Context())
		for _, of := range s.Witnesses {
			if err == nil && of.Name == name {
				return of.Up == up
			}
		}
		return false
	})
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// freeze freezes etcd.
func (w *world) freeze() {
	ctx, cancel := context.WithTimeout(w.t.Context(), daemon.Patience)
	defer cancel()
	w.must(w.etcd.Members[0].Freeze(ctx))
}

// Whichever one of three is stale beyond its bound, dead or frozen: nobody loses or takes anything. With one dead, the
// holder dies too: another one takes. With two away it ends, as with none, and comes back with them.
func TestSeveral(t *testing.T) {
	w := newWorld(t)
	first := daemon.Holder(w.t, w.group.Regions...)
	w.renews(first)
	before, had := daemon.Transitions(w.t, first), first.Authority(w.t)

	w.age(time.Hour)
	daemon.Await(t, "the holder sees that kv is staler than its bound", func() bool {
		s, err := first.Status(t.Context())
		for _, a := range s.Alarms {
			if err == nil && a.Code == lease.NoticeWitnessStale && a.Witness == "kv" {
				return true
			}
		}
		return false
	})
	w.renews(first)
	w.age(staleness / 2)

	w.freeze()
	w.up(first, "etcd", false)
	w.renews(first)
	w.must(w.etcd.Members[0].Thaw())
	w.up(first, "etcd", true)

	w.must(w.worker.Process().Kill())
	w.up(first, "worker", false)
	w.renews(first)
	if n, has := daemon.Transitions(w.t, first), first.Authority(w.t); n != before || has.Epoch != had.Epoch {
		t.Errorf("%d transitions of %s, epoch %d, want none since there were %d, and epoch %d: one of three was away at a time", n, first.Name, has.Epoch, before, had.Epoch)
	}

	second, gap := w.group.Failover(t, first)
	t.Logf("with one of three away %s took %v after the last renewal of %s; the bound is %v", second.Name, gap, first.Name, w.group.Params.LongestGapStale(w.group.Params.RequestTimeout))

	w.freeze()
	daemon.Await(t, "with two of three away nobody is active", func() bool {
		s, err := second.Status(t.Context())
		return err == nil && !s.Authority && s.AllLayers("inactive") && !s.Witness.Up
	})
	w.worker.Restart()
	daemon.Holder(w.t, second)
	w.must(w.etcd.Members[0].Thaw())
}
