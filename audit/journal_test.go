package audit

import (
	"crypto/ed25519"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var (
	key    = ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	public = key.Public().(ed25519.PublicKey)
	keys   = []ed25519.PublicKey{public}
)

func config() Config {
	return Config{Group: "g", Region: "a", Key: key, Now: func() time.Time { return time.Unix(1_800_000_000, 0) }}
}

func open(t testing.TB, path string, cfg Config) (*Journal, Found) {
	t.Helper()
	j, found, err := Open(path, cfg)
	must(t, err)
	t.Cleanup(func() { j.Close() })
	return j, found
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// fill adds entries, which say who they are.
func fill(t testing.TB, j *Journal, from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		must(t, j.Append(KindCommand, Command{Verb: fmt.Sprint(i), User: "root"}))
	}
}

// verbs are the verbs of the commands that are there, and what Verify says.
func verbs(t testing.TB, path string) (all []string, v Verdict) {
	t.Helper()
	v, err := Verify(path, keys, func(_ string, e Entry) error {
		if e.Kind != KindCommand {
			return nil
		}
		var c Command
		err := json.Unmarshal(e.Body, &c)
		all = append(all, c.Verb)
		return err
	})
	must(t, err)
	return all, v
}

// holds checks that the commands from 0 on are there, so many, and that nothing is wrong.
func holds(t testing.TB, path string, count int) Verdict {
	t.Helper()
	all, v := verbs(t, path)
	if len(v.Problems) > 0 || !v.Signed {
		t.Errorf("%d commands: signed %v, problems: %s", count, v.Signed, v.Problems)
	}
	for i, verb := range all {
		if verb != fmt.Sprint(i) {
			t.Errorf("command %d of %d is %s", i, len(all), verb)
		}
	}
	if len(all) != count {
		t.Errorf("%d commands are there, want %d", len(all), count)
	}
	return v
}

func TestAppend(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit")
	j, found := open(t, path, config())
	fill(t, j, 0, 10)
	holds(t, path, 10) // while it is open
	must(t, j.Close())
	j, again := open(t, path, config())
	fill(t, j, 10, 20)
	if found != (Found{}) || again != (Found{}) {
		t.Errorf("found %+v, and then %+v; want nothing", found, again)
	}
	if v := holds(t, path, 20); v.Files != 1 || v.First != 1 || v.Last != 21 || v.Torn != 0 {
		t.Errorf("got %+v, want one file with entries 1 to 21", v)
	}
}

func TestRotate(t *testing.T) {
	path := t.TempDir()
	cfg := config()
	cfg.FileSize = 4 << 10
	j, _ := open(t, path, cfg)
	fill(t, j, 0, 200)
	must(t, j.Close())
	j, _ = open(t, path, cfg)
	fill(t, j, 200, 400)
	v := holds(t, path, 400)
	if b, err := j.folder.read(fileName(1)); err != nil || len(b) == 0 { // by the name that it had
		t.Errorf("the first file, packed since it was listed: %d bytes, %v; want what is in it", len(b), err)
	}
	packed, err := filepath.Glob(filepath.Join(path, "*"+packedSuffix))
	must(t, err)
	if v.Files < 10 || len(packed) != v.Files-1 {
		t.Errorf("%d files, %d of them packed; want 10 at least, and all but one", v.Files, len(packed))
	}

	// The oldest go.
	cfg.Size = 16 << 10
	must(t, j.Close())
	j, _ = open(t, path, cfg)
	fill(t, j, 400, 500)
	all, v := verbs(t, path)
	var size int64
	entries, err := os.ReadDir(path)
	must(t, err)
	for _, e := range entries {
		info, err := e.Info()
		must(t, err)
		size += info.Size()
	}
	if size > cfg.Size+2*cfg.FileSize || len(v.Problems) > 0 || v.First <= 1 || all[len(all)-1] != "499" {
		t.Errorf("%d bytes are there, %+v, the last command is %s; want about %d bytes, a later beginning, and command 499", size, v, all[len(all)-1], cfg.Size)
	}
}

var points = flag.Int("points", 1000, "TestCrashPoints: `how many` of the last bytes")

// TestCrashPoints cuts the journal at each of its last bytes, as a crash may. All that was whole is there, and it goes on.
func TestCrashPoints(t *testing.T) {
	base := t.TempDir()
	j, _ := open(t, base, config())
	fill(t, j, 0, 40)
	must(t, j.Close())
	name := filepath.Join(base, fileName(1))
	whole, err := os.ReadFile(name)
	must(t, err)
	var ends []int // of the entries
	for i, b := range whole {
		if b == '\n' {
			ends = append(ends, i+1)
		}
	}
	path, err := os.MkdirTemp("/dev/shm", "audit") // in memory: it is opened and synced 10,000 times
	must(t, err)
	defer os.RemoveAll(path)
	for cut := len(whole) - 1; cut >= 0 && cut >= len(whole)-*points; cut-- {
		entries, err := os.ReadDir(path)
		must(t, err)
		for _, e := range entries {
			must(t, os.Remove(filepath.Join(path, e.Name())))
		}
		must(t, os.WriteFile(filepath.Join(path, fileName(1)), whole[:cut], 0o600))
		kept := 0
		for _, end := range ends {
			if end <= cut {
				kept++
			}
		}
		torn := 0
		if kept > 0 {
			torn = cut - ends[kept-1]
		}
		commands := max(0, kept-1) // the first entry is the file's own
		if _, v := verbs(t, path); kept > 0 && (len(v.Problems) > 0 || v.Entries != kept || v.Torn != int64(torn)) {
			t.Fatalf("cut to %d bytes: before it is opened again: %+v, want %d entries and %d torn bytes", cut, v, kept, torn)
		}
		j, found, err := Open(path, config())
		must(t, err)
		if want := (Found{Cut: int64(torn)}); found != want {
			t.Fatalf("cut to %d bytes: found %+v, want %+v", cut, found, want)
		}
		fill(t, j, commands, commands+1)
		must(t, j.file.Close()) // a crash: nothing is synced
		must(t, j.folder.close())
		holds(t, path, commands+1)
		if t.Failed() {
			t.Fatalf("cut to %d bytes", cut)
		}
	}
	t.Logf("%d crash points", min(*points, len(whole)))
}

// TestFullDisk has writes fail half way: what was there stays, and it goes on when there is room.
func TestFullDisk(t *testing.T) {
	path := t.TempDir()
	j, _ := open(t, path, config())
	fill(t, j, 0, 3)
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	must(t, err)
	file := j.file
	j.file = full
	if err := j.Append(KindCommand, Command{Verb: "3"}); err == nil || !strings.Contains(err.Error(), "no space left on device") {
		t.Errorf("got %v, want no space left on device", err)
	}
	must(t, full.Close())
	j.file = file
	if _, err := file.WriteAt([]byte(`{"entry":{"seq`), j.size); err != nil { // half an entry
		t.Fatal(err)
	}
	fill(t, j, 3, 5)
	holds(t, path, 5)
}

// TestNoNextFile can't begin the next file for a while: it says so at each entry, and goes on in the one that is there.
func TestNoNextFile(t *testing.T) {
	path := t.TempDir()
	cfg := config()
	j, _ := open(t, path, cfg)
	fill(t, j, 0, 3)
	j.cfg.FileSize = j.size
	inTheWay := filepath.Join(path, fileName(j.seq+1))
	must(t, os.Mkdir(inTheWay, 0o700))
	for range 2 {
		if err := j.Append(KindCommand, Command{Verb: "3"}); err == nil {
			t.Error("an entry was added, want an error: the next file can't be begun")
		}
	}
	j.cfg.FileSize = cfg.FileSize + 8<<20 // as if there were room in the old one
	fill(t, j, 3, 5)
	must(t, os.Remove(inTheWay))
	j.cfg.FileSize = j.size
	fill(t, j, 5, 6)
	if v := holds(t, path, 6); v.Files != 2 {
		t.Errorf("there are %d files, want 2", v.Files)
	}
}

// TestNotPacked can't pack its first file: no entry is lost by that, Sync says it, the oldest go all the same, and when the first
// has gone all is well.
func TestNotPacked(t *testing.T) {
	path := t.TempDir()
	cfg := config()
	cfg.FileSize, cfg.Size = 4<<10, 16<<10
	j, _ := open(t, path, cfg)
	inTheWay := filepath.Join(path, fileName(1)+packedSuffix+packingSuffix)
	must(t, os.Mkdir(inTheWay, 0o700))
	names := func() []string {
		all, err := j.folder.names()
		must(t, err)
		return all
	}
	next := 0
	for len(names()) < 4 {
		fill(t, j, next, next+1)
		next++
	}
	holds(t, path, next)
	if err := j.Sync(); err == nil || !strings.Contains(err.Error(), "pack and trim the journal: ") {
		t.Errorf("Sync: %v, want that the journal can't be packed", err)
	}
	for names()[0] == fileName(1) && next < 1000 {
		fill(t, j, next, next+1)
		next++
	}
	if size := int64(len(names())) * cfg.FileSize; size > cfg.Size+2*cfg.FileSize {
		t.Errorf("about %d bytes are there, want about %d: what is too much goes though nothing is packed", size, cfg.Size)
	}
	for j.Sync() != nil && next < 1000 { // up to the next file
		fill(t, j, next, next+1)
		next++
	}
	if err := j.Sync(); err != nil {
		t.Errorf("Sync, when what could not be packed has gone: %v", err)
	}
	all, v := verbs(t, path)
	if len(v.Problems) > 0 || all[len(all)-1] != fmt.Sprint(next-1) {
		t.Errorf("%s, the last command is %s; want no problems, and command %d", v.Problems, all[len(all)-1], next-1)
	}
}

// BenchmarkAppend is what an entry costs without the disk: a round of reads as a region of three has it.
func BenchmarkAppend(b *testing.B) {
	for _, signed := range []bool{true, false} {
		b.Run(fmt.Sprintf("signed=%v", signed), func(b *testing.B) {
			cfg := config()
			if !signed {
				cfg.Key = nil
			}
			j, _ := open(b, b.TempDir(), cfg)
			step := someSteps(b, 1)[0]
			b.ReportAllocs()
			for b.Loop() {
				must(b, j.Append(KindStep, step))
			}
			b.ReportMetric(float64(j.size)/float64(b.N), "B/entry")
		})
	}
}

// TestKeyChanged has a region get another key: what it writes from then on is in a file of its own, which goes on from the one
// before, and both keys together verify the journal.
func TestKeyChanged(t *testing.T) {
	path := t.TempDir()
	j, _ := open(t, path, config())
	fill(t, j, 0, 3)
	must(t, j.Close())
	cfg := config()
	cfg.Key = ed25519.NewKeyFromSeed([]byte("another key, of thirty-two bytes"))
	second := cfg.Key.Public().(ed25519.PublicKey)
	for from := 3; from < 9; from += 3 { // a start with the key that it has by now goes on in the same file
		j, found := open(t, path, cfg)
		if found != (Found{}) {
			t.Errorf("found %+v, want that all was well", found)
		}
		fill(t, j, from, from+3)
		must(t, j.Close())
	}
	for _, tt := range []struct {
		keys     []ed25519.PublicKey
		problems int
	}{{[]ed25519.PublicKey{public, second}, 0}, {[]ed25519.PublicKey{second}, 1}, {keys, 1}, {nil, 0}} {
		v, err := Verify(path, tt.keys, nil)
		must(t, err)
		if len(v.Problems) != tt.problems || v.Files != 2 || v.Last != 11 && tt.problems == 0 {
			t.Errorf("%d keys: got %+v, want two files, 11 entries, %d problems", len(tt.keys), v, tt.problems)
		}
	}
}
