package config_test

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/openova-io/failoverd/config"
)

var update = flag.Bool("update", false, "write the golden files anew; then read the diff")

// located is what every problem begins with: the file and either a line and a
// column, or the key that is missing.
var located = regexp.MustCompile(`^testdata/[a-z0-9-]+\.yaml(:[0-9]+:[0-9]+: |: [a-z_.]+: missing, expected )`)

// TestDefects loads one file per defect; the file beside it holds what the
// user must read.
func TestDefects(t *testing.T) {
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(files) < 40 {
		t.Fatalf("found %d defect files (%v), want at least 40", len(files), err)
	}
	for _, name := range files {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".yaml"), func(t *testing.T) {
			c, err := config.Load(name)
			if err == nil {
				t.Fatalf("got %+v, want an error", c)
			}
			golden := strings.TrimSuffix(name, ".yaml") + ".err"
			got := err.Error() + "\n"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err2 := os.ReadFile(golden)
			if err2 != nil {
				t.Fatal(err2)
			}
			if got != string(want) {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
			var problems config.Problems
			if !errors.As(err, &problems) {
				t.Fatalf("got a %T, want config.Problems", err)
			}
			for _, p := range problems {
				if !located.MatchString(p.Error()) {
					t.Errorf("got %q, want file, line and column, or the missing key", p)
				}
				if strings.Contains(p.Error(), "Hunter2") {
					t.Errorf("got %q, which holds a secret", p)
				}
			}
		})
	}
}

// TestGoldenWithoutFile finds goldens whose defect is gone.
func TestGoldenWithoutFile(t *testing.T) {
	goldens, err := filepath.Glob("testdata/*.err")
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range goldens {
		if _, err := os.Stat(strings.TrimSuffix(g, ".err") + ".yaml"); err != nil {
			t.Errorf("%s has no file: %v", g, err)
		}
	}
}

// TestValid loads the files that users may copy, and checks that what a Config
// prints is read back as the same Config.
func TestValid(t *testing.T) {
	files, err := filepath.Glob("testdata/valid/*.yaml")
	if err != nil || len(files) < 3 {
		t.Fatalf("found %d valid files (%v), want at least 3", len(files), err)
	}
	for _, name := range files {
		t.Run(filepath.Base(name), func(t *testing.T) {
			c, err := config.Load(name)
			if err != nil {
				t.Fatal(err)
			}
			if got := c.Params().Violations(); len(got) > 0 {
				t.Errorf("lease.Params: got %v, want none", got)
			}
			printed, err := yaml.Marshal(c)
			if err != nil {
				t.Fatal(err)
			}
			again, err := config.Parse("printed", printed)
			if err != nil {
				t.Fatalf("%v\nof:\n%s", err, printed)
			}
			if live, restart := config.ReloadDiff(c, again); len(live)+len(restart) > 0 {
				t.Errorf("printed and read back: %v and %v differ", live, restart)
			}
		})
	}
}

// TestFullShowsDefaults holds valid/full.yaml to its own words: what is not
// required there is the default.
func TestFullShowsDefaults(t *testing.T) {
	full, err := config.Load("testdata/valid/full.yaml")
	if err != nil {
		t.Fatal(err)
	}
	got, want := *full, *config.Default(config.WitnessCloudflareKV)
	if got.Lease != want.Lease || got.API != want.API || got.StateDir != want.StateDir || got.Log != want.Log || got.Mode != want.Mode {
		t.Errorf("got %+v, want the defaults %+v", got, want)
	}
	if got.Witness.Staleness != want.Witness.Staleness || got.Witness.Prefix != want.Witness.Prefix {
		t.Errorf("got %+v, want the defaults %+v", got.Witness, want.Witness)
	}
	if want := config.DefaultQuorum("failover.example.com"); !reflect.DeepEqual(got.Quorum, want) {
		t.Errorf("got %+v, want the defaults %+v", got.Quorum, want)
	}
	var keys map[string]any
	data, err := os.ReadFile("testdata/valid/full.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(data, &keys); err != nil {
		t.Fatal(err)
	}
	// All but doc, and witnesses, which is instead of witness.
	if got, want := len(keys), reflect.TypeFor[config.Config]().NumField()-2; got != want {
		t.Errorf("full.yaml has %d sections, want all %d", got, want)
	}
}

func TestDefaultsByWitness(t *testing.T) {
	for _, tt := range []struct{ file, poll, staleness string }{
		{"minimal-kv", "2s", "1m"},
		{"minimal-file", "1s", "0s"},
	} {
		c, err := config.Load("testdata/valid/" + tt.file + ".yaml")
		if err != nil {
			t.Fatal(err)
		}
		if got := c.Lease.PollInterval.String(); got != tt.poll {
			t.Errorf("%s: poll_interval: got %s, want %s", tt.file, got, tt.poll)
		}
		if got := c.Witness.Staleness.String(); got != tt.staleness {
			t.Errorf("%s: staleness: got %s, want %s", tt.file, got, tt.staleness)
		}
	}
}

func TestLoadUnreadable(t *testing.T) {
	for _, path := range []string{"testdata/none.yaml", "testdata"} {
		if _, err := config.Load(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("Load(%q): got %v, want an error that names it", path, err)
		}
	}
}

// TestParseEndings reads what editors on other systems make of a file.
func TestParseEndings(t *testing.T) {
	data, err := os.ReadFile("testdata/valid/full.yaml")
	if err != nil {
		t.Fatal(err)
	}
	want, err := config.Parse("a", data)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"byte order mark": "\ufeff" + string(data),
		"CRLF":            strings.ReplaceAll(string(data), "\n", "\r\n"),
	} {
		got, err := config.Parse("a", []byte(text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if live, restart := config.ReloadDiff(want, got); len(live)+len(restart) > 0 {
			t.Errorf("%s: %v and %v differ", name, live, restart)
		}
	}
}

func TestParseTooLarge(t *testing.T) {
	_, err := config.Parse("big.yaml", []byte(strings.Repeat("[", 1<<20)))
	if err == nil || !strings.Contains(err.Error(), "64 KiB") {
		t.Errorf("got %v, want an error that says 64 KiB", err)
	}
	// The deepest file that is read at all: the parser must survive it.
	for _, s := range []string{"[", "{", "[{", "- ", "? ", "a: [", "&a ", "!a ", "\n- "} {
		text := strings.Repeat(s, 64<<10/len(s))
		if _, err := config.Parse("deep.yaml", []byte(text)); err == nil {
			t.Errorf("got no error for a file of %q", s)
		}
	}
}

// FuzzParse checks that no file makes Parse panic, and that what it accepts is
// valid.
func FuzzParse(f *testing.F) {
	for _, glob := range []string{"testdata/*.yaml", "testdata/valid/*.yaml"} {
		files, err := filepath.Glob(glob)
		if err != nil {
			f.Fatal(err)
		}
		for _, name := range files {
			data, err := os.ReadFile(name)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := config.Parse("fuzz.yaml", data)
		if err != nil {
			if c != nil || err.Error() == "" {
				t.Errorf("got %v and %q, want one of them", c, err)
			}
			return
		}
		if err := c.Validate(); err != nil {
			t.Errorf("Parse accepted what Validate refuses: %v", err)
		}
		if got := c.Params().Violations(); len(got) > 0 {
			t.Errorf("Parse accepted what lease.Params refuses: %v", got)
		}
		c.Warnings()
	})
}
