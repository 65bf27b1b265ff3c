package bench

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/openova-io/failoverd/e2e/root"
)

// TestMain asks for the commit before anything is built from it: an hour later it may be another one.
func TestMain(m *testing.M) {
	if _, err := commit(); err != nil {
		fmt.Fprintln(os.Stderr, "bench: git describe:", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// module is the folder of failoverd's module.
func module(tb testing.TB) string {
	tb.Helper()
	e2e, err := root.Find()
	if err != nil {
		tb.Fatalf("bench: %v", err)
	}
	return filepath.Dir(e2e)
}

// save writes what was measured to a file of the folder -out; with none it is only logged. A file is whole or not there.
func save(tb testing.TB, name string, measured any) {
	tb.Helper()
	if *outFlag == "" {
		return
	}
	out, err := json.MarshalIndent(measured, "", "\t")
	if err != nil {
		tb.Fatal(err)
	}
	path := filepath.Join(*outFlag, name)
	if err := os.WriteFile(path+".new", append(out, '\n'), 0o644); err != nil {
		tb.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		tb.Fatal(err)
	}
}
