//go:build clusters

package cnpg_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// writeEvery is how often a writer tries to write.
	writeEvery = 50 * time.Millisecond

	// writeTimeout is how long a write may take, and connecting. Whether one landed that takes longer is not known.
	writeTimeout = time.Second
)

// A write is one that was acknowledged.
type write struct {
	n           int64
	sent, acked time.Time
	at          uint64 // position in the log, behind the row and before its commit
	run         int    // of writes that were acknowledged one after the other
}

// A writer tries to write to the database of its region, as a client there.
type writer struct {
	region *region
	number int64 // of the next write
	conn   *pgx.Conn
	run    int

	mu     sync.Mutex
	writes []write
}

// startWriters lets a writer run in every region, until the test ends.
func (w *world) startWriters(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for i, r := range w.regions {
		r.writer = &writer{region: r, number: int64(i)}
		running.Go(func() { r.writer.loop(ctx, int64(len(w.regions))) })
	}
	t.Cleanup(func() { cancel(); running.Wait() })
}

// connect connects to the region's database as its node would.
func (r *region) connect(ctx context.Context) (*pgx.Conn, error) {
	config, err := pgx.ParseConfig(fmt.Sprintf("host=%s port=30432 user=app password=app dbname=app sslmode=disable", r.IP))
	if err != nil {
		return nil, err
	}
	config.DialFunc = r.Dial
	config.DefaultQueryExecMode = pgx.QueryExecModeExec
	return pgx.ConnectConfig(ctx, config)
}

func (w *writer) loop(ctx context.Context, step int64) {
	tick := time.NewTicker(writeEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			w.disconnect()
			return
		case <-tick.C:
		}
		w.number += step
		done, err := w.write(ctx, w.number)
		if err != nil {
			w.run++
			continue
		}
		w.mu.Lock()
		w.writes = append(w.writes, done)
		w.mu.Unlock()
	}
}

// write tries once. An error does not say that nothing was written.
func (w *writer) write(ctx context.Context, n int64) (write, error) {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	if w.conn == nil || w.conn.IsClosed() {
		var err error
		if w.conn, err = w.region.connect(ctx); err != nil {
			return write{}, err
		}
	}
	done := write{n: n, sent: time.Now(), run: w.run}
	var at string
	err := w.conn.QueryRow(ctx, `INSERT INTO writes (n) VALUES ($1) RETURNING pg_current_wal_insert_lsn()::text`, n).Scan(&at)
	done.acked = time.Now()
	if err == nil {
		done.at, err = position(at)
	}
	return done, err
}

func (w *writer) disconnect() {
	if w.conn != nil {
		ctx, cancel := context.WithTimeout(context.Background(), writeTimeout)
		defer cancel()
		_ = w.conn.Close(ctx)
	}
}

// all are the writes that were acknowledged so far.
func (w *writer) all() []write {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]write(nil), w.writes...)
}

// first is the first write that was acknowledged of those sent after some time.
func (w *writer) first(since time.Time) (write, bool) {
	for _, done := range w.all() {
		if done.sent.After(since) {
			return done, true
		}
	}
	return write{}, false
}

// position reads a position in PostgreSQL's log, in bytes.
func position(text string) (uint64, error) {
	var high, low uint64
	if _, err := fmt.Sscanf(text, "%X/%X", &high, &low); err != nil {
		return 0, fmt.Errorf("position %q: %w", text, err)
	}
	return high<<32 | low, nil
}

// bothWritable are the writes of one region that were acknowledged while the other one took writes too: between the sending
// of a write and the acknowledgement of a later one, with none between that failed. It counts rather too many than too few.
func bothWritable(a, b []write) (both []write) {
	type span struct{ from, to time.Time }
	var spans []span
	for i, done := range b {
		if i == 0 || done.run != b[i-1].run {
			spans = append(spans, span{done.sent, done.acked})
		}
		spans[len(spans)-1].to = done.acked
	}
	for _, done := range a {
		for _, s := range spans {
			if done.sent.Before(s.to) && done.acked.After(s.from) {
				both = append(both, done)
				break
			}
		}
	}
	return both
}
