package cnpg_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/openova-io/failoverd/e2e/daemon"
	"github.com/openova-io/failoverd/e2e/postgres"
	"github.com/openova-io/failoverd/layers"
	"github.com/openova-io/failoverd/layers/cnpg"
	"github.com/openova-io/failoverd/lease"
)

// TestSwitchover hands a database over ten times, there and back. Each time the promotion carries the token, nothing
// written is lost, and nothing is written in two regions.
func TestSwitchover(t *testing.T) {
	w, fsn, hel := newWorld(t)
	for _, r := range w.regions {
		r.create("db", "fsn", nil)
		r.watch(func() {})
		r.With("db", func(p *postgres.Instance) { p.Slow = 5 })
	}
	fsn.until(fsn.layer.Activate, fsn.order(1, lease.ReasonTaken))
	hel.until(hel.layer.Fence, hel.order(0, lease.ReasonStarting))

	from, to := fsn, hel
	var fencing, activating time.Duration
	const rounds = 10
	for epoch := uint64(1); epoch <= rounds; epoch++ {
		var end uint64
		from.With("db", func(p *postgres.Instance) {
			if !p.Write(1 << 22) {
				t.Fatalf("epoch %d: %s takes no writes", epoch, from.Name)
			}
		})
		fencing += from.until(from.layer.Fence, from.order(epoch, lease.ReasonHandedOver))
		from.With("db", func(p *postgres.Instance) {
			if p.Write(1) {
				t.Fatalf("epoch %d: %s is fenced and takes writes", epoch, from.Name)
			}
			end = p.End
		})
		activating += to.until(to.layer.Activate, to.order(epoch+1, lease.ReasonPledged))
		if n := w.group.Writable("db"); n != 1 {
			t.Errorf("epoch %d: %d regions take writes, want 1", epoch, n)
		}
		o := to.get("db")
		if token := text(o, "spec", "replica", "promotionToken"); token == "" || token != text(o, "status", "lastPromotionToken") {
			t.Errorf("epoch %d: promoted with token %q, and %q is confirmed", epoch, token, text(o, "status", "lastPromotionToken"))
		}
		if p := to.layer.Positions(layers.Activate); len(p) != 1 || string(p[0].Before) != from.Name || !p[0].Whole || p[0].At < postgres.LSN(end) {
			t.Errorf("epoch %d: of what was lost it says %+v, want nothing, from %s, and that it was at %s at least", epoch, p, from.Name, postgres.LSN(end))
		}
		if p := from.layer.Positions(layers.Fence); len(p) != 1 || p[0].Before != "" {
			t.Errorf("epoch %d: of what was fenced it says %+v, want where it was", epoch, p)
		}
		to.With("db", func(p *postgres.Instance) {
			if fork := p.Forks[len(p.Forks)-1]; fork != end {
				t.Errorf("epoch %d: promoted at %s, want %s, where the other had come to", epoch, postgres.LSN(fork), postgres.LSN(end))
			}
		})
		daemon.Await(w.t, "the former primary follows", func() (ok bool) {
			to.With("db", func(p *postgres.Instance) { end = p.End })
			from.With("db", func(p *postgres.Instance) { ok = p.Running && !p.Primary && p.End == end })
			return ok
		})
		from, to = to, from
	}
	if used, early := w.group.Tokens(); used != rounds || early > 0 {
		t.Errorf("%d promotions with a token, of which instances found %d too early; want %d and none", used, early, rounds)
	}
	t.Logf("%d switchovers: fenced after %v, and from then until writable %v, on average (instances are a stand-in)", rounds, fencing/rounds, activating/rounds)
}

// TestFailover takes a database over from a region that is cut off, brings that back, and has it fence.
func TestFailover(t *testing.T) {
	w, fsn, hel := newWorld(t)
	for _, r := range w.regions {
		r.create("db", "fsn", nil)
		r.watch(func() {})
	}
	fsn.until(fsn.layer.Activate, fsn.order(4, lease.ReasonTaken))
	hel.until(hel.layer.Fence, hel.order(0, lease.ReasonStarting))
	position := func() bool { // of fsn, as hel hears it
		notes := hel.Notes("cnpg")
		return len(notes) == 1 && strings.Contains(notes[0].Text, `"lsn":92274688`)
	}
	daemon.Await(w.t, "the replica follows", func() (ok bool) {
		hel.With("db", func(p *postgres.Instance) { ok = p.End == 0x5000000 })
		return ok
	})
	hel.With("db", func(p *postgres.Instance) { p.Cut = true })
	fsn.With("db", func(p *postgres.Instance) { p.Write(8 << 20) })
	daemon.Await(w.t, "the active region publishes its position", position)
	w.mu.Lock()
	w.silent["fsn"] = 2 * time.Minute
	w.mu.Unlock()

	// The other region is 8 MiB behind, and max_lag is 1 MiB: a person decides.
	err := hel.layer.Activate(t.Context(), hel.order(5, lease.ReasonTaken))
	if err == nil || !strings.Contains(err.Error(), "8.0 MiB would be lost, and max_lag is 1.0 MiB") {
		t.Fatalf("activated 8 MiB behind: got %v, want a refusal", err)
	}
	if text(hel.get("db"), "spec", "replica", "primary") != "fsn" {
		t.Fatal("it refused and promoted all the same")
	}
	hel.layer = hel.newLayer(cnpg.Config{MaxLag: 16 << 20})
	hel.until(hel.layer.Activate, hel.order(5, lease.ReasonTaken))
	if token := text(hel.get("db"), "spec", "replica", "promotionToken"); token != "" {
		t.Errorf("promoted with token %q, want none", token)
	}
	if p := hel.layer.Positions(layers.Activate); len(p) != 1 || p[0].At != "0/5000000" || p[0].Before != "fsn" || p[0].Last != "0/5800000" || p[0].Lacks != 8<<20 || p[0].Whole {
		t.Errorf("of what was lost it says %+v, want that it was at 0/5000000, and fsn at 0/5800000: 8 MiB", p)
	}

	// The former primary is back; its spec says that it is the primary, and it takes writes.
	fsn.With("db", func(p *postgres.Instance) { p.Write(1) })
	w.mu.Lock()
	clear(w.silent)
	w.mu.Unlock()
	hel.watch(func() {})
	fsn.until(fsn.layer.Fence, fsn.order(4, lease.ReasonStarting))
	if n := w.group.Writable("db"); n != 1 {
		t.Errorf("%d regions take writes, want 1", n)
	}
	daemon.Await(w.t, "the former primary is demoted", func() (ok bool) {
		fsn.With("db", func(p *postgres.Instance) { ok = p.Running && !p.Primary })
		return ok
	})
	daemon.Await(w.t, "it is found that it has to be rebuilt, though its receiver is connected", func() bool {
		findings, err := fsn.layer.Findings(t.Context())
		return err == nil && len(findings) == 1 && findings[0].Problem && strings.Contains(findings[0].Got, "rebuild required")
	})
	if state, err := fsn.layer.Observe(t.Context()); state != layers.Inactive || err != nil {
		t.Errorf("observed %s, %v; want inactive", state, err)
	}
	if state, err := hel.layer.Observe(t.Context()); state != layers.Active || err != nil {
		t.Errorf("observed %s, %v; want active", state, err)
	}
}

// TestRenewedWhileFencing has a region go on at every point of its fencing.
func TestRenewedWhileFencing(t *testing.T) {
	w, fsn, hel := newWorld(t)
	for _, r := range w.regions {
		r.create("db", "fsn", nil)
	}
	hel.until(hel.layer.Fence, hel.order(0, lease.ReasonStarting))
	for i := range 12 {
		fsn.until(fsn.layer.Activate, fsn.order(uint64(2*i+1), lease.ReasonTaken))
		if n := w.group.Writable("db"); n != 1 {
			t.Fatalf("round %d: %d regions take writes, want 1", i, n)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*15*time.Millisecond)
		_ = fsn.layer.Fence(ctx, fsn.order(uint64(2*i+1), lease.ReasonRenewalLate))
		cancel()
	}
	fsn.until(fsn.layer.Fence, fsn.order(24, lease.ReasonRenewalLate))
	if n := w.group.Writable("db"); n != 0 {
		t.Errorf("fenced: %d regions take writes, want 0", n)
	}
}

// TestFencedWhileBeingPromoted fences a replica that is to be promoted, and waits for its token. CloudNativePG demotes
// nobody then, and so does not lift the fence: it follows again all the same.
func TestFencedWhileBeingPromoted(t *testing.T) {
	w, fsn, hel := newWorld(t)
	fsn.create("db", "hel", nil)
	hel.create("db", "hel", nil)
	fsn.watch(func() {})
	later := postgres.Instance{Timeline: 1, Redo: 1 << 40}
	patch := fmt.Sprintf(`{"spec":{"replica":{"primary":"fsn","promotionToken":%q}}}`, later.Token())
	if _, err := fsn.admin.Resource(clusters).Namespace(fsn.Namespace).Patch(t.Context(), "db", types.MergePatchType, []byte(patch), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	daemon.Await(w.t, "its instance waits for the token", func() bool {
		_, early := w.group.Tokens()
		return early > 0
	})
	fsn.until(fsn.layer.Fence, fsn.order(3, lease.ReasonRenewalLate))
	var end uint64
	hel.With("db", func(p *postgres.Instance) { p.Write(1 << 20); end = p.End })
	daemon.Await(w.t, "it follows again", func() (ok bool) {
		fsn.With("db", func(p *postgres.Instance) { ok = p.Running && !p.Primary && p.End == end })
		return ok
	})
	o := fsn.get("db")
	if text(o, "spec", "replica", "primary") != "hel" || text(o, "spec", "replica", "promotionToken") != "" || o.GetAnnotations()[fencedAnnotation] != "" {
		t.Errorf("got spec.replica %v, annotations %v", o.Object["spec"].(map[string]any)["replica"], o.GetAnnotations())
	}
}

// TestReleased fences a region that ends: what the next one has to know is published when Fence returns, with nobody there
// to do it later. An operator that leaves no token does not hold it up for ever.
func TestReleased(t *testing.T) {
	w, fsn, hel := newWorld(t)
	fsn.create("db", "fsn", nil)
	hel.create("db", "fsn", nil)
	fsn.until(fsn.layer.Activate, fsn.order(1, lease.ReasonTaken))
	fsn.until(fsn.layer.Fence, fsn.order(1, lease.ReasonReleased))
	if token := text(fsn.get("db"), "status", "demotionToken"); token == "" || !strings.Contains(w.notes["fsn"], token) {
		t.Errorf("fenced: token %q, published %s", token, w.notes["fsn"])
	}
	hel.until(hel.layer.Activate, hel.order(2, lease.ReasonPledged))
	if text(hel.get("db"), "spec", "replica", "promotionToken") == "" {
		t.Error("promoted without the token")
	}
	hel.With("db", func(p *postgres.Instance) { p.Tokenless = true })
	hel.until(hel.layer.Fence, hel.order(2, lease.ReasonReleased))
	if !strings.Contains(w.notes["hel"], `"role":"demoting"`) {
		t.Errorf("fenced, and there is no token: published %s", w.notes["hel"])
	}
}

// TestFollow has a third region become the primary: the others follow it, and none is asked to write.
func TestFollow(t *testing.T) {
	w, fsn, _ := newWorld(t)
	fsn.create("db", "hel", func(o *unstructured.Unstructured) {
		external, _, _ := unstructured.NestedSlice(o.Object, "spec", "externalClusters")
		external = append(external, map[string]any{"name": "nbg", "connectionParameters": map[string]any{"host": "db.nbg.example.com"}})
		set(external, "spec", "externalClusters")(o)
	})
	changed := make(chan struct{}, 1)
	fsn.watch(func() {
		select {
		case changed <- struct{}{}:
		default:
		}
	})
	follows := func(want string) {
		t.Helper()
		daemon.Await(w.t, "it follows "+want, func() bool {
			select {
			case <-changed:
				fsn.until(fsn.layer.Fence, fsn.order(0, lease.ReasonStarting))
			default:
			}
			o := fsn.get("db")
			return text(o, "spec", "replica", "primary") == want && text(o, "spec", "replica", "source") == want
		})
	}
	says := func(region lease.Region, epoch int, role string) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.notes[region] = fmt.Sprintf(`[{"ns":"x","name":"y","self":%q,"system":%q,"epoch":%d,"role":%q}]`, region, postgres.System, epoch, role)
	}
	fsn.until(fsn.layer.Fence, fsn.order(0, lease.ReasonStarting))
	follows("hel")
	says("hel", 5, "primary")
	says("nbg", 6, "primary")
	follows("nbg")
	says("nbg", 6, "replica") // and it stays so until somebody is
	says("hel", 7, "primary")
	follows("hel")
	says("xyz", 8, "primary") // which it does not know
	fsn.until(fsn.layer.Fence, fsn.order(0, lease.ReasonStarting))
	follows("hel")
}
