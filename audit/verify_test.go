package audit

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

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
		{"something behind it", replaced(lines, 3, strings.Replace(lines[3], "\n", "}\n", 1)), "entry 4: it is no entry"},
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

// TestHashKeptElsewhere: what Verify can't see, newest entries that are missing, and a journal that somebody with the key has written
// anew, the hash of an entry shows that was kept elsewhere.
func TestHashKeptElsewhere(t *testing.T) {
	written := func(entries int) (path, hash string) {
		path = t.TempDir()
		j, _ := open(t, path, config())
		fill(t, j, 0, entries)
		must(t, j.Close())
		return path, string(holds(t, path, entries).Hash)
	}
	path, kept := written(5)
	file := filepath.Join(path, fileName(1))
	b, err := os.ReadFile(file)
	must(t, err)
	lines := strings.SplitAfter(string(b), "\n")
	must(t, os.WriteFile(file, []byte(strings.Join(lines[:len(lines)-2], "")), 0o600))
	if v := holds(t, path, 4); string(v.Hash) == kept {
		t.Error("the newest entry is missing, and the hash is the same")
	}
	if _, again := written(5); again != kept {
		t.Error("the same entries have another hash")
	}
	path = t.TempDir()
	j, _ := open(t, path, config())
	must(t, j.Append(KindCommand, Command{Verb: "0", User: "somebody else"}))
	fill(t, j, 1, 5)
	must(t, j.Close())
	if v := holds(t, path, 5); string(v.Hash) == kept {
		t.Error("it was written anew with another user, and the hash is the same")
	}
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
