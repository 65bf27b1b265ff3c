package main

import (
	"bytes"
	"flag"
	"image/png"
	"os"
	"path/filepath"
	"testing"
)

var update = flag.Bool("update", false, "write testdata/benchmarks.md anew")

// TestReport writes the page of measurements that were made up, and compares it with one that was read by a person.
func TestReport(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "benchmarks.md")
	if err := run("testdata", out); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	const golden = "testdata/benchmarks.md"
	if *update {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("the page is not %s; see what differs, and write it anew with -update:\n%s", golden, got)
	}
	for _, s := range sections {
		made, err := os.ReadFile(filepath.Join("testdata", s.file))
		if err != nil {
			continue // there is none of that made up
		}
		if kept, err := os.ReadFile(filepath.Join(dir, "benchmarks", s.file)); err != nil || !bytes.Equal(kept, made) {
			t.Errorf("%s is not beside the page as it was measured: %v", s.file, err)
		}
	}
	for _, name := range []string{"gaps.png", "overlaps.png"} {
		f, err := os.Open(filepath.Join(dir, "benchmarks", name))
		if err != nil {
			t.Fatal(err)
		}
		if c, err := png.DecodeConfig(f); err != nil || c.Width < 1000 {
			t.Errorf("%s: %+v, %v", name, c, err)
		}
		f.Close()
	}
}

func TestQuantile(t *testing.T) {
	for _, test := range []struct {
		of      []float64
		q, want float64
	}{
		{[]float64{7}, .5, 7},
		{[]float64{7}, .99, 7},
		{[]float64{1, 2, 3, 4}, .5, 2},
		{[]float64{1, 2, 3, 4, 5}, .5, 3},
		{[]float64{1, 2, 3, 4}, .99, 4},
		{[]float64{1, 2, 3, 4}, 0, 1},
	} {
		if got := quantile(test.of, test.q); got != test.want {
			t.Errorf("quantile(%v, %v) = %v, want %v", test.of, test.q, got, test.want)
		}
	}
}
