package main

import (
	"flag"
	"os"
	"testing"
)

var update = flag.Bool("update", false, "write the pages of docs that come from the code anew; then read the diff")

// compare compares a page with what it is to be, or writes it, with -update.
func compare(t *testing.T, path, want string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s is not what the code says: run `go test ./cmd/failoverd -update`, and read the diff", path)
	}
}
