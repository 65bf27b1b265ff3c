package statedir

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/openova-io/failoverd/lease"
)

var some = lease.Authority{Epoch: 12, Deadline: 345_678_901_234, BootID: "0b1d9d5c-6b7d-4b0e-9a57-1d3f6f2a8c11"}

// load checks what is on disk.
func load(t *testing.T, d *Dir, want lease.Authority) {
	t.Helper()
	if got, err := d.LoadAuthority(); got != want || err != nil {
		t.Errorf("LoadAuthority() = %+v, %v; want %+v", got, err, want)
	}
}

func TestSaveAndLoadAuthority(t *testing.T) {
	path := t.TempDir()
	d := open(t, path)
	load(t, d, lease.Authority{})
	must(t, d.SaveAuthority(lease.Authority{})) // nothing is there to remove
	must(t, d.SaveAuthority(some))
	load(t, d, some)
	next := some
	next.Epoch, next.Deadline = 13, some.Deadline.Add(30)
	must(t, d.SaveAuthority(next))
	load(t, d, next)
	if got, err := ReadAuthority(path); got != next || err != nil { // while it is open
		t.Errorf("ReadAuthority() = %+v, %v; want %+v", got, err, next)
	}
	d.Close()

	d = open(t, path)
	load(t, d, next)
	must(t, d.SaveAuthority(lease.Authority{}))
	load(t, d, lease.Authority{})
	if _, err := os.Stat(filepath.Join(path, authorityName)); err == nil {
		t.Error("the file is still there")
	}
	for _, of := range []string{path, filepath.Join(path, "none")} {
		if got, err := ReadAuthority(of); got != (lease.Authority{}) || err != nil {
			t.Errorf("ReadAuthority() where there is none = %+v, %v; want none", got, err)
		}
	}
}

// A temporary file that a crash has left is no authority and in nobody's way.
func TestLeftoverTemporaryFile(t *testing.T) {
	path := t.TempDir()
	d := open(t, path)
	next := some
	next.Epoch++
	must(t, os.WriteFile(filepath.Join(path, authorityName+tmpSuffix), encodeAuthority(next), 0o600))
	load(t, d, lease.Authority{})
	must(t, d.SaveAuthority(some))
	must(t, os.WriteFile(filepath.Join(path, authorityName+tmpSuffix), encodeAuthority(next)[:20], 0o600))
	load(t, d, some)
	must(t, d.SaveAuthority(next))
	load(t, d, next)
}

func TestCorruptAuthority(t *testing.T) {
	good := string(encodeAuthority(some))
	wrap := func(authority string) string {
		return fmt.Sprintf(`{"version":1,"authority":%s,"sha256":%q}`, authority, digest([]byte(authority)))
	}
	tests := []struct {
		name, content string
		want          string // contained in the error
	}{
		{"empty", "", "it is corrupt: unexpected end of JSON input"},
		{"truncated", good[:len(good)/2], "it is corrupt: unexpected end of JSON input"},
		{"zeroes", strings.Repeat("\x00", 100), "it is corrupt: invalid character"},
		{"twice", good + good, "it is corrupt: invalid character"},
		{"another deadline", strings.Replace(good, "345678901234", "945678901234", 1), "it is corrupt: its sha256 is "},
		{"no sum", `{"version":1,"authority":{}}`, `it says ""`},
		{"null", "null", "it has version 0, want 1"},
		{"a later version", strings.Replace(good, `"version":1`, `"version":2`, 1), "it has version 2, want 1"},
		{"oversize", good + strings.Repeat(" ", authorityMaxSize), "it has more than 4096 bytes"},
		{"unknown field", wrap(`{"epoch":1,"deadline":1,"boot_id":"b","more":1}`), "it is corrupt: json: unknown field"},
		{"wrong type", wrap(`{"epoch":"1"}`), "it is corrupt: json: cannot unmarshal"},
		{"negative epoch", wrap(`{"epoch":-1,"deadline":1,"boot_id":"b"}`), "it is corrupt: json: cannot unmarshal"},
		{"no boot", wrap(`{"epoch":1,"deadline":1}`), `it makes no sense: deadline 1 of boot ""`},
		{"no deadline", wrap(`{"epoch":1,"boot_id":"b"}`), "it makes no sense: deadline 0"},
		{"for ever", wrap(`{"epoch":1,"deadline":9223372036854775807,"boot_id":"b"}`), "it makes no sense: deadline 9223372036854775807"},
	}
	for _, tt := range tests {
		path := t.TempDir()
		d := open(t, path)
		must(t, os.WriteFile(filepath.Join(path, authorityName), []byte(tt.content), 0o600))
		got, err := d.LoadAuthority()
		if got != (lease.Authority{}) || !strings.Contains(text(err), tt.want) || !strings.Contains(text(err), path+"/authority.json is not used") {
			t.Errorf("%s: got %+v, %v; want none, and an error with the path and %q", tt.name, got, err, tt.want)
		}
		must(t, d.SaveAuthority(some)) // and it is no obstacle
		load(t, d, some)
	}
}

func TestLoadUnreadable(t *testing.T) {
	path := t.TempDir()
	d := open(t, path)
	must(t, os.Mkdir(filepath.Join(path, authorityName), 0o700))
	got, err := d.LoadAuthority()
	want := "load authority: read " + path + "/authority.json: is a directory; remove the directory that stands in the way"
	if got != (lease.Authority{}) || text(err) != want {
		t.Errorf("LoadAuthority() = %+v, %q; want none, %q", got, text(err), want)
	}
	if err := d.SaveAuthority(some); err == nil {
		t.Error("SaveAuthority() over a directory succeeded")
	}
	if _, err := os.Stat(filepath.Join(path, authorityName+tmpSuffix)); err == nil {
		t.Error("the temporary file was left")
	}
}

// A disk that refuses loses nothing of what was there, and is fit for use once
// it no longer does.
func TestSaveOnUnwritable(t *testing.T) {
	for _, tt := range unwritable {
		path := t.TempDir()
		d := open(t, path)
		must(t, d.SaveAuthority(some))
		create := d.create
		tt.breakIt(d)
		next := some
		next.Epoch++
		want := "save authority: " + strings.ReplaceAll(tt.want, "FILE", filepath.Join(path, authorityName+tmpSuffix))
		if got := text(d.SaveAuthority(next)); got != want {
			t.Errorf("%s: got %q, want %q", tt.name, got, want)
		}
		load(t, d, some)
		d.create = create
		must(t, d.SaveAuthority(next))
		load(t, d, next)
	}
}

// The authority on disk is at no time anything but one that was saved, and never
// older than the last that was acknowledged, whenever the daemon is killed.
func TestKilledWhileSaving(t *testing.T) {
	path := t.TempDir()
	for round := range 10 {
		daemon := exec.Command(os.Args[0], "-test.run=^TestHelperSaves$")
		daemon.Env = append(os.Environ(), "STATEDIR_TEST_PATH="+path)
		out, err := daemon.StdoutPipe()
		must(t, err)
		must(t, daemon.Start())
		lines := bufio.NewScanner(out)
		acked := uint64(0)
		for lines.Scan() {
			epoch, err := strconv.ParseUint(lines.Text(), 10, 64)
			if err != nil {
				t.Fatalf("round %d: it says %q", round, lines.Text())
			}
			acked = epoch
			if acked%1000 == uint64(10+7*round) {
				must(t, daemon.Process.Kill()) // somewhere in what it does next
			}
		}
		daemon.Wait()
		d, err := Open(path)
		must(t, err)
		got, err := d.LoadAuthority()
		if err != nil || got.Epoch < acked || got.Epoch > acked+1 {
			t.Errorf("round %d: LoadAuthority() = %+v, %v; want epoch %d, or the next", round, got, err, acked)
		}
		entries, err := ReadHistory(path, 0)
		if err != nil || len(entries) == 0 || entries[len(entries)-1].Epoch < acked-1 {
			t.Errorf("round %d: history ends with %+v, %v; want epoch %d or later", round, entries[max(0, len(entries)-1):], err, acked-1)
		}
		must(t, d.Close())
	}
}

func TestHelperSaves(t *testing.T) {
	path := os.Getenv("STATEDIR_TEST_PATH")
	if path == "" {
		return // run by TestKilledWhileSaving only
	}
	d, err := Open(path)
	must(t, err)
	last, err := d.LoadAuthority()
	must(t, err)
	// Every round begins at a new thousand.
	for epoch := (last.Epoch/1000+1)*1000 + 1; ; epoch++ {
		a := some
		a.Epoch = epoch
		must(t, d.SaveAuthority(a))
		fmt.Println(epoch)
		must(t, d.AppendHistory(entry(epoch)))
	}
}

func FuzzDecodeAuthority(f *testing.F) {
	f.Add([]byte(""))
	f.Add(encodeAuthority(some))
	f.Add(encodeAuthority(some)[:40])
	f.Add([]byte(`{"version":1,"authority":null,"sha256":"74234e98afe7498fb5daf1f36ac2d78acc339464f950703b8c019892f982b90b"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := decodeAuthority(b)
		if err != nil {
			if got != (lease.Authority{}) {
				t.Errorf("%v, but %+v", err, got)
			}
			return
		}
		// What is accepted is what was saved: the same again comes out of it.
		again, err := decodeAuthority(encodeAuthority(got))
		if err != nil || again != got {
			t.Errorf("%+v: saved again it is %+v, %v", got, again, err)
		}
		if !bytes.Contains(b, []byte("sha256")) && !bytes.Contains(bytes.ToLower(b), []byte("sha256")) {
			t.Errorf("accepted without a sum: %q", b)
		}
	})
}
