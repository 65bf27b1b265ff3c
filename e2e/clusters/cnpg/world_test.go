//go:build clusters

package cnpg_test

import (
	"context"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"github.com/openova-io/failoverd/e2e/clusters"
)

func TestMain(m *testing.M) { os.Exit(clusters.Main(m)) }

const (
	// awaitLimit is for one condition. It is no measure of anything: it only ends a test that hangs.
	awaitLimit = 3 * time.Minute

	// lookAgain is how often a condition is looked at.
	lookAgain = 100 * time.Millisecond
)

// A world is both regions, with a database that each of them has a Cluster of.
type world struct {
	t       *testing.T
	regions []*region
	lost    map[int64]bool // writes that were acknowledged and are no more
}

type region struct {
	*clusters.Region
	world   *world
	volumes int       // that were made
	follows time.Time // since when, at the latest, its Cluster follows; zero: it is the primary
	agent   *agent
	writer  *writer
	objects dynamic.ResourceInterface // its Clusters
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, lost: map[int64]bool{}}
	for _, r := range clusters.Up(t, clusters.Options{}) {
		config := r.Config()
		config.Timeout = 5 * time.Second
		client, err := dynamic.NewForConfig(config)
		if err != nil {
			t.Fatal(err)
		}
		objects := client.Resource(schema.GroupVersionResource{Group: "postgresql.cnpg.io", Version: "v1", Resource: "clusters"}).Namespace(metav1.NamespaceDefault)
		w.regions = append(w.regions, &region{Region: r, world: w, objects: objects})
	}
	var installing sync.WaitGroup
	for _, r := range w.regions {
		installing.Go(func() { r.install(t, w.regions[0].Region) })
	}
	installing.Wait()
	if t.Failed() {
		t.FailNow()
	}
	fsn, hel := w.regions[0], w.regions[1]
	fsn.create(t, "fsn", "")
	fsn.awaitHealthy(t)
	hel.create(t, "fsn", "fsn")
	hel.awaitHealthy(t)
	w.query(fsn, "CREATE TABLE writes (n bigint PRIMARY KEY)")
	w.startWriters(t)
	w.startAgents(t)
	return w
}

func (r *region) other() *region {
	for _, o := range r.world.regions {
		if o != r {
			return o
		}
	}
	panic("there are two")
}

// await waits until a condition holds.
func (w *world) await(what string, holds func() bool) {
	w.t.Helper()
	for begun := time.Now(); !holds(); {
		if time.Since(begun) > awaitLimit {
			w.t.Fatalf("waited %v in vain: %s", awaitLimit, what)
		}
		<-time.After(lookAgain)
	}
}

// cluster is the region's Cluster; ok is false if the API server does not say.
func (r *region) cluster() (*unstructured.Unstructured, bool) {
	o, err := r.objects.Get(r.world.t.Context(), "db", metav1.GetOptions{})
	return o, err == nil
}

// query runs a statement in a region's database, and returns the numbers that it brings.
func (w *world) query(r *region, sql string) map[int64]bool {
	w.t.Helper()
	numbers, err := r.query(w.t.Context(), sql)
	if err != nil {
		w.t.Fatalf("%s: %s: %v", r.Name, sql, err)
	}
	return numbers
}

func (r *region) query(ctx context.Context, sql string) (numbers map[int64]bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	conn, err := r.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close(ctx)
	rows, err := conn.Query(ctx, sql)
	if err != nil {
		return nil, err
	}
	numbers = map[int64]bool{}
	var n int64
	_, err = pgx.ForEachRow(rows, []any{&n}, func() error { numbers[n] = true; return nil })
	return numbers, err
}
