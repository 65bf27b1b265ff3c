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

// story is a demo in short: fsn answers, is killed, nobody does, hel does, and then two do.
func story(w Watcher) {
	at := time.Duration(0)
	show := func(n int, fsn Condition, answered ...lease.Region) {
		for range n {
			w.Sample(Sample{at, answered, []Condition{fsn, Up, Up}})
			at += askEvery
		}
	}
	w.Event(Event{at, "three regions start"})
	show(10, Up)
	show(12, Up, "fsn")
	w.Event(Event{at, "fsn is killed"})
	show(9, Killed)
	show(10, Killed, "hel")
	show(5, Frozen, "hel")
	show(5, Cut, "hel")
	show(3, Up, "hel", "fsn")
	show(4, Up, "hel")
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
