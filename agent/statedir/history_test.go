package statedir

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/openova-io/failoverd/agent/gap"
	"github.com/openova-io/failoverd/audit"
	"github.com/openova-io/failoverd/layers"
	"github.com/openova-io/failoverd/lease"
)

func entry(epoch uint64) Entry {
	return Entry{
		Time:   time.Date(2026, 11, 23, 12, 0, 0, int(epoch), time.UTC),
		Region: "fsn", From: lease.Candidate, To: lease.Active, Epoch: epoch, Reason: "taken",
	}
}

// epochs of a history: what a test tells its entries apart by.
func epochs(t *testing.T, path string, limit int) []uint64 {
	t.Helper()
	entries, err := ReadHistory(path, limit)
	must(t, err)
	var got []uint64
	for _, e := range entries {
		if e.Entry != entry(e.Epoch) || len(e.Layers) > 0 {
			t.Errorf("read %+v, want %+v", e, entry(e.Epoch))
		}
		got = append(got, e.Epoch)
	}
	return got
}

func TestHistory(t *testing.T) {
	path := t.TempDir()
	d := open(t, path)
	if got := epochs(t, path, 0); len(got) != 0 {
		t.Errorf("a new directory has the history %v", got)
	}
	for epoch := range uint64(5) {
		must(t, d.AppendHistory(entry(epoch)))
	}
	d.Close()
	d = open(t, path)
	must(t, d.AppendHistory(entry(5)))
	tests := []struct {
		limit int
		want  []uint64
	}{
		{0, []uint64{0, 1, 2, 3, 4, 5}},
		{-1, []uint64{0, 1, 2, 3, 4, 5}},
		{1, []uint64{5}},
		{4, []uint64{2, 3, 4, 5}},
		{6, []uint64{0, 1, 2, 3, 4, 5}},
		{100, []uint64{0, 1, 2, 3, 4, 5}},
	}
	for _, tt := range tests {
		if got := epochs(t, path, tt.limit); !slices.Equal(got, tt.want) {
			t.Errorf("ReadHistory(path, %d) has %v, want %v", tt.limit, got, tt.want)
		}
	}
	// Another process reads it while it is open.
	other, err := ReadHistory(path, 2)
	if err != nil || !reflect.DeepEqual(other, []Episode{{Entry: entry(4)}, {Entry: entry(5)}}) {
		t.Errorf("ReadHistory(path, 2) = %v, %v; want entries 4 and 5", other, err)
	}
}

// TestDetails: what came of a transition later is read with it, over files too, and what is of none is left out.
func TestDetails(t *testing.T) {
	path := t.TempDir()
	d := open(t, path)
	at := entry(0).Time
	layer := func(name string) Detail {
		return Detail{Time: at, Layer: &LayerChange{Layer: name, Action: layers.Fence, Seconds: 0.5}}
	}
	most := 1.5
	next := &gap.Gap{Before: "fsn", After: "hel", Epoch: 2, Since: 1.5, AtMost: &most}
	was, fenced := entry(1), entry(2)
	was.By = &audit.Command{Verb: "takeover", User: "root", Reason: "test"}
	fenced.From, fenced.To = lease.Active, lease.Fencing
	must(t, d.AppendDetail(layer("of nothing")))
	must(t, d.AppendHistory(was))
	must(t, d.AppendHistory(fenced))
	must(t, d.AppendDetail(layer("route")))
	must(t, d.AppendDetail(layer("database")))
	must(t, os.Rename(filepath.Join(path, historyName), filepath.Join(path, historyOldName)))
	must(t, d.AppendHistory(entry(3)))
	must(t, d.AppendDetail(Detail{Time: at, Gap: next}))
	must(t, d.AppendDetail(layer("hook")))
	fenced.Gap = next
	want := []Episode{
		{Entry: was},
		{Entry: fenced, Layers: []LayerChange{*layer("route").Layer, *layer("database").Layer}},
		{Entry: entry(3), Layers: []LayerChange{*layer("hook").Layer}},
	}
	for limit := range 4 {
		got, err := ReadHistory(path, limit)
		must(t, err)
		if n := len(want) - limit; limit > 0 && !reflect.DeepEqual(got, want[n:]) || limit == 0 && !reflect.DeepEqual(got, want) {
			t.Errorf("ReadHistory(path, %d):\ngot  %+v\nwant the last of %+v", limit, got, want)
		}
	}
}

func TestReadHistoryNoDirectory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "none")
	_, err := ReadHistory(path, 0)
	want := "read history: open state directory " + path + ": no such file or directory; if the state directory was removed or moved, put it back and restart failoverd"
	if text(err) != want {
		t.Errorf("got %q, want %q", text(err), want)
	}
}

// Whatever a crash made of the last line, the lines before and after it are
// read.
func TestTornLine(t *testing.T) {
	for _, torn := range []string{"{", `{"time":"2026-11-23T12:`, "\x00\x00\x00", "\n", "null\n", "{}\n"} {
		path := t.TempDir()
		d := open(t, path)
		must(t, d.AppendHistory(entry(1)))
		f, err := os.OpenFile(filepath.Join(path, historyName), os.O_WRONLY|os.O_APPEND, 0)
		must(t, err)
		_, err = f.WriteString(torn)
		must(t, err)
		must(t, f.Close())
		if got, want := epochs(t, path, 0), []uint64{1}; !slices.Equal(got, want) {
			t.Errorf("after %q: %v, want %v", torn, got, want)
		}
		must(t, d.AppendHistory(entry(2)))
		if got, want := epochs(t, path, 0), []uint64{1, 2}; !slices.Equal(got, want) {
			t.Errorf("appended after %q: %v, want %v", torn, got, want)
		}
	}
}

func TestHistoryRotates(t *testing.T) {
	path := t.TempDir()
	d := open(t, path)
	line := len(`{"time":"2026-11-23T12:00:00.000000001Z","region":"fsn","from":"candidate","to":"active","epoch":1,"reason":"taken"}` + "\n")
	current, old := filepath.Join(path, historyName), filepath.Join(path, historyOldName)
	fill := func() { // as full as can be without the next line being too much
		pad := bytes.Repeat([]byte("\n"), historyMaxSize-line)
		must(t, os.WriteFile(current, pad, 0o600))
	}
	size := func(name string) int64 {
		info, err := os.Stat(name)
		if err != nil {
			return -1
		}
		return info.Size()
	}
	fill()
	must(t, d.AppendHistory(entry(1)))
	if got := size(current); got != historyMaxSize || size(old) != -1 {
		t.Fatalf("sizes are %d and %d, want %d and none", got, size(old), historyMaxSize)
	}
	must(t, d.AppendHistory(entry(2)))
	if got := size(current); got != int64(line) || size(old) != historyMaxSize {
		t.Fatalf("sizes are %d and %d, want %d and %d", got, size(old), line, historyMaxSize)
	}
	if got, want := epochs(t, path, 0), []uint64{1, 2}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	fill()
	must(t, d.AppendHistory(entry(3)))
	must(t, d.AppendHistory(entry(4)))
	if got, want := epochs(t, path, 0), []uint64{3, 4}; !slices.Equal(got, want) {
		t.Errorf("after another turn: got %v, want %v", got, want)
	}
	// A file that someone else has made huge is read from its end only.
	must(t, os.Truncate(old, 1<<40))
	if got, want := epochs(t, path, 0), []uint64{4}; !slices.Equal(got, want) {
		t.Errorf("with a huge file: got %v, want %v", got, want)
	}
}

// TestHistoryIsListed: the file is made durable with the first entry, whoever has created it. A root that is closed shows when that
// is done: nothing but a sync of the directory needs it.
func TestHistoryIsListed(t *testing.T) {
	path := t.TempDir()
	d := open(t, path)
	closed, err := os.OpenRoot(path)
	must(t, err)
	must(t, closed.Close())
	entered := func(epoch uint64, listed bool) {
		t.Helper()
		root := d.root
		d.root = closed
		if err := d.AppendHistory(entry(epoch)); (err == nil) != listed {
			t.Errorf("entry %d, without a directory to sync: %v; want an error: %v", epoch, err, !listed)
		}
		d.root = root
	}
	for _, begin := range []func(){
		func() {}, // a new directory
		func() { must(t, d.Close()); d = open(t, path) }, // a process before this one may have created it
		func() { must(t, os.Rename(filepath.Join(path, historyName), filepath.Join(path, historyOldName))) },
	} {
		begin()
		must(t, d.AppendDetail(Detail{Time: entry(0).Time}))
		entered(1, false)
		must(t, d.AppendHistory(entry(2)))
		entered(3, true)
	}
	if got, want := epochs(t, path, 4), []uint64{2, 3, 2, 3}; !slices.Equal(got, want) {
		t.Errorf("got the entries %v, want %v: one that failed is not there", got, want)
	}
}

func TestAppendOnUnwritable(t *testing.T) {
	for _, tt := range unwritable {
		if tt.name == "full" {
			continue // /dev/full is no file that can be appended to; see TestAppendOnFullDisk
		}
		path := t.TempDir()
		d := open(t, path)
		must(t, d.AppendHistory(entry(1)))
		create := d.create
		tt.breakIt(d)
		_, why, _ := strings.Cut(tt.want, "FILE")
		if got, want := text(d.AppendHistory(entry(2))), "write history: open "+filepath.Join(path, historyName)+why; got != want {
			t.Errorf("%s: got %q, want %q", tt.name, got, want)
		}
		d.create = create
		must(t, d.AppendHistory(entry(3)))
		if got, want := epochs(t, path, 0), []uint64{1, 3}; !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", tt.name, got, want)
		}
	}
}

// The disk is full from the first byte on.
func TestAppendOnFullDisk(t *testing.T) {
	path := t.TempDir()
	d := open(t, path)
	d.create = func(string, int) (*os.File, error) { return os.OpenFile("/dev/full", os.O_RDWR, 0) }
	want := "write history: write " + filepath.Join(path, historyName) + ": no space left on device; free space on that file system"
	if got := text(d.AppendHistory(entry(1))); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func FuzzDecodeHistory(f *testing.F) {
	f.Add([]byte(""))
	f.Add([]byte(`{"time":"2026-11-23T12:00:00Z","to":"active"}` + "\n" + `{"ti`))
	f.Add([]byte("null\n\n[]\n{}"))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, e := range decodeHistory(b) {
			if e.Time.IsZero() || e.To == "" {
				t.Errorf("%q: read %+v", b, e)
			}
		}
		if n := len(decodeHistory(b)); n > bytes.Count(b, []byte("\n"))+1 {
			t.Errorf("%q: %d entries, more than lines", b, n)
		}
	})
}
