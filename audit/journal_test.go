package audit

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
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

// TestTouched changes each entry in each way that matters; Verify says so, without any that is whole before it
// being lost, and Open sets the file aside.
func TestTouched(t *testing.T) {
	base := t.TempDir()
	j, _ := open(t, base, config())
	fill(t, j, 0, 5)
	must(t, j.Close())
	b, err := os.ReadFile(filepath.Join(base, fileName(1)))
	must(t, err)
	lines := strings.SplitAfter(string(b), "\n")[:6]
	other := ed25519.NewKeyFromSeed([]byte(strings.Repeat("x", ed25519.SeedSize)))
	resigned := func() []string { // the same by who has another key
		dir := t.TempDir()
		cfg := config()
		cfg.Key = other
		j, _ := open(t, dir, cfg)
		fill(t, j, 0, 5)
		b, err := os.ReadFile(filepath.Join(dir, fileName(1)))
		must(t, err)
		return strings.SplitAfter(string(b), "\n")[:6]
	}()
	tests := []struct {
		name  string
		lines []string
		want  string // in the problem
	}{
		{"changed", replaced(lines, 3, strings.Replace(lines[3], `"verb":"2"`, `"verb":"7"`, 1)), "entry 4: its hash is not that of what is there"},
		{"changed with its hash", replaced(lines, 3, rehashed(t, lines[2], strings.Replace(lines[3], `"verb":"2"`, `"verb":"7"`, 1))), "entry 4: its signature is not the region's"},
		{"left out", append(append([]string{}, lines[:2]...), lines[3:]...), "entry 3: its hash is not that of what is there"},
		{"twice", append(append([]string{}, lines[:3]...), lines[2:]...), "entry 4: its hash is not that of what is there"},
		{"in another order", append(append([]string{}, lines[:2]...), lines[3], lines[2], lines[4], lines[5]), "entry 3: its hash is not that of what is there"},
		{"by another key", resigned, "entry 1: the file says that it is signed with the key"},
		{"the beginning left out", lines[1:], "entry 1: a file begins with an entry of the kind file"},
		{"a line of something else", append(append([]string{}, lines[:2]...), "hello\n"), "entry 3: it is no entry"},
		{"an empty line", append(append([]string{}, lines[:2]...), "\n"), "entry 3: it is no entry"},
		{"the last one changed", replaced(lines, 5, strings.Replace(lines[5], `"verb":"4"`, `"verb":"7"`, 1)), "entry 6: its hash is not that of what is there"},
		{"an unknown field", replaced(lines, 3, strings.Replace(lines[3], `{"entry"`, `{"more":1,"entry"`, 1)), "entry 4: it is no entry"},
	}
	for _, tt := range tests {
		path := t.TempDir()
		must(t, os.WriteFile(filepath.Join(path, fileName(1)), []byte(strings.Join(tt.lines, "")), 0o600))
		_, v := verbs(t, path)
		if len(v.Problems) != 1 || !strings.Contains(v.Problems[0], tt.want) {
			t.Errorf("%s: got %q, want one problem with %q", tt.name, v.Problems, tt.want)
		}
		if strings.Contains(tt.want, "sign") {
			continue // Open does not look at it: a key may be changed
		}
		j, found := open(t, path, config())
		fill(t, j, 5, 6)
		all, v := verbs(t, path)
		if found.Damaged == "" || len(v.Problems) != 1 || !strings.Contains(v.Problems[0], found.Damaged) || len(all) != 1 {
			t.Errorf("%s: opened again: found %+v; %q, commands %v; want it set aside, and the next command", tt.name, found, v.Problems, all)
		}
	}
}

func replaced(lines []string, i int, with string) []string {
	all := append([]string{}, lines...)
	all[i] = with
	return all
}

// rehashed gives a changed line the hash that it should have.
func rehashed(t *testing.T, before, changed string) string {
	t.Helper()
	var b, l line
	must(t, json.Unmarshal([]byte(before), &b))
	must(t, json.Unmarshal([]byte(changed), &l))
	l.Hash = hashAfter(b.Hash, l.Entry)
	out, err := json.Marshal(l)
	must(t, err)
	return string(out) + "\n"
}

// TestMissingFile removes a file from the middle.
func TestMissingFile(t *testing.T) {
	path := t.TempDir()
	cfg := config()
	cfg.FileSize = 2 << 10
	j, _ := open(t, path, cfg)
	fill(t, j, 0, 50)
	names, err := j.folder.names()
	must(t, err)
	must(t, os.Remove(filepath.Join(path, names[2])))
	if _, v := verbs(t, path); len(v.Problems) != 1 || !strings.Contains(v.Problems[0], "does not go on from entry") {
		t.Errorf("got %q, want that entries are missing", v.Problems)
	}
}

// TestPackedTwice has a crash between packing a file and removing the original.
func TestPackedTwice(t *testing.T) {
	path := t.TempDir()
	cfg := config()
	cfg.FileSize = 2 << 10
	j, _ := open(t, path, cfg)
	fill(t, j, 0, 50)
	names, err := j.folder.names()
	must(t, err)
	content, err := j.folder.read(names[1])
	must(t, err)
	must(t, os.WriteFile(filepath.Join(path, strings.TrimSuffix(names[1], packedSuffix)), content, 0o600))
	holds(t, path, 50)
	must(t, j.Close())
	j, _ = open(t, path, cfg)
	fill(t, j, 50, 100)
	holds(t, path, 100)
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

// TestUnsigned has a region without a key: hashes alone.
func TestUnsigned(t *testing.T) {
	path := t.TempDir()
	cfg := config()
	cfg.Key = nil
	j, _ := open(t, path, cfg)
	fill(t, j, 0, 3)
	v, err := Verify(path, nil, nil)
	must(t, err)
	if v.Signed || len(v.Problems) > 0 || v.Entries != 4 {
		t.Errorf("got %+v, want 4 entries that are not signed, and no problem", v)
	}
	if v, err = Verify(path, keys, nil); err != nil || len(v.Problems) != 1 {
		t.Errorf("with a key: got %+v, %v; want a problem", v, err)
	}
}

func TestVerifyStops(t *testing.T) {
	path := t.TempDir()
	j, _ := open(t, path, config())
	fill(t, j, 0, 3)
	enough := errors.New("enough")
	if _, err := Verify(path, keys, func(string, Entry) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("got %v, want %v", err, enough)
	}
	if _, err := Verify(filepath.Join(path, "none", "such"), keys, nil); err == nil {
		t.Error("a folder that is not there was verified")
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
