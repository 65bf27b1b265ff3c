package demo

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/openova-io/failoverd/lease"
)

var rewrite = flag.Bool("rewrite", false, "write testdata anew; read the diff")

// story is a demo in short: fsn answers, is killed, nobody does, hel does, whatever happens to the
// witness and a resolver, is cut off, and then two do.
func story(w Watcher) {
	at := time.Duration(0)
	witness, resolvers := Up, Up
	show := func(n int, fsn, hel Condition, answered ...lease.Region) {
		for range n {
			w.Sample(Sample{at, answered, []Condition{fsn, hel, Up}, witness, resolvers})
			at += askEvery
		}
	}
	w.Event(Event{at, "three regions start"})
	show(10, Up, Up)
	show(12, Up, Up, "fsn")
	w.Event(Event{at, "fsn is killed"})
	show(9, Killed, Up)
	show(10, Killed, Up, "hel")
	witness = Down
	show(5, Frozen, Up, "hel")
	resolvers = Lying
	show(5, Up, Up, "hel")
	witness, resolvers = Up, Up
	show(5, Up, Cut, "hel")
	show(5, Up, Isolated, "hel")
	show(10, Up, Isolated)
	show(3, Up, Up, "fsn", "hel")
	show(4, Up, Up, "fsn")
}

func TestScreen(t *testing.T) {
	for _, tt := range []struct {
		name   string
		screen Screen
	}{
		{"plain", Screen{Width: 80}},
		{"live", Screen{Width: 80, Live: true}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			tt.screen.Out, tt.screen.Members = &out, Params().Members
			story(&tt.screen)
			tt.screen.End()
			if !tt.screen.Live {
				wantNarrow(t, out.String())
			}
			got := strings.ReplaceAll(out.String(), "\x1b", "^[")
			if !tt.screen.Live && strings.Contains(got, "^[") {
				t.Error("there are escape codes")
			}
			path := filepath.Join("testdata", tt.name+".txt")
			if *rewrite {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}
