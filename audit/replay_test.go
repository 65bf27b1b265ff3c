package audit

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/openova-io/failoverd/lease"
)

var params = lease.Params{
	Group: "g", Region: "a", Members: []lease.Region{"a", "b"},
	TTL: 30 * time.Second, RenewInterval: 10 * time.Second, RetryInterval: 2 * time.Second, PollInterval: 2 * time.Second,
	RequestTimeout: 5 * time.Second, FenceTimeout: 10 * time.Second, MaxClockDrift: 0.002, Staleness: 60 * time.Second,
}

// someSteps runs an agent's lease: it starts, finds nobody, and takes; everything that it asks for is done at once.
func someSteps(t testing.TB, count int) (steps []Step) {
	t.Helper()
	s := lease.New(params)
	queue := []lease.Event{lease.Start{Incarnation: 7, BootID: "boot", Version: "v1"}}
	now := lease.Instant(time.Hour)
	flag := lease.FlagRead{Outcome: lease.ReadMissing}
	var decision lease.Decision
	for range count {
		var ev lease.Event = lease.Tick{}
		if len(queue) > 0 {
			ev, queue = queue[0], queue[1:]
		} else {
			now = max(now, decision.Wake)
		}
		var actions []lease.Action
		actions, decision = s.Step(now, ev)
		steps = append(steps, Step{now, ev, append([]lease.Action{}, actions...)})
		now = now.Add(time.Millisecond)
		for _, a := range actions {
			switch a := a.(type) {
			case lease.WriteFlag:
				flag = lease.FlagRead{Outcome: lease.ReadFound, Flag: a.Flag}
				queue = append(queue, lease.FlagWritten{ID: a.ID, Acked: true})
			case lease.ReadRound:
				read := lease.RoundRead{ID: a.ID, Flags: []lease.FlagRead{flag, {Outcome: lease.ReadMissing}}}
				if a.Infos {
					info := lease.InfoRead{Outcome: lease.ReadFound, Info: lease.Info{Safety: params.Safety(), Version: "v1"}}
					read.Infos = []lease.InfoRead{info, info}
				}
				queue = append(queue, read)
			case lease.WriteInfo:
				queue = append(queue, lease.InfoWritten{ID: a.ID, Acked: true})
			case lease.SaveAuthority:
				queue = append(queue, lease.AuthoritySaved{ID: a.ID, OK: true})
			case lease.Fence:
				queue = append(queue, lease.LayersFenced{ID: a.ID})
			case lease.Activate:
				queue = append(queue, lease.LayersActive{ID: a.ID})
			}
		}
	}
	if count > 500 && decision.State != lease.Active {
		t.Fatalf("after %d steps the region is %s, want active", count, decision.State)
	}
	return steps
}

// journal writes two runs, with files of a few entries.
func journal(t *testing.T, steps []Step) (path string) {
	t.Helper()
	path = t.TempDir()
	cfg := config()
	cfg.FileSize = 16 << 10
	for range 2 {
		j, _ := open(t, path, cfg)
		must(t, j.Append(KindRun, Run{Version: "v1", Params: params}))
		for _, s := range steps {
			must(t, j.Append(KindStep, s))
		}
		must(t, j.Append(KindLayer, Layer{Layer: "hooks", Action: "fence", Outcome: "done", Took: time.Second}))
		must(t, j.Close())
	}
	return path
}

func TestReplay(t *testing.T) {
	steps := someSteps(t, 600)
	got, err := Replay(journal(t, steps))
	must(t, err)
	if got.Runs != 2 || got.Steps != 1200 || got.Skipped != 0 || got.Parted != nil {
		t.Errorf("got %+v, want 2 runs and 1200 steps that are the same", got)
	}
}

// TestReplayWithoutBeginning replays what is left when the oldest files have gone.
func TestReplayWithoutBeginning(t *testing.T) {
	path := journal(t, someSteps(t, 600))
	f, err := openFolder(path)
	must(t, err)
	names, err := f.names()
	must(t, err)
	for _, name := range names[:3] {
		must(t, os.Remove(path+"/"+name))
	}
	got, err := Replay(path)
	must(t, err)
	if got.Runs != 1 || got.Steps != 600 || got.Skipped == 0 || got.Parted != nil {
		t.Errorf("got %+v, want one run of 600 steps, and some of the other skipped", got)
	}
}

// TestReplayParts has a journal say something that the core does not want: as if a bug had been mended since.
func TestReplayParts(t *testing.T) {
	steps := someSteps(t, 600)
	at := 0
	for i, s := range steps {
		for k, a := range s.Actions {
			if w, is := a.(lease.WriteFlag); is {
				w.Flag.Epoch++
				s.Actions[k], at = w, i
			}
		}
		if at > 0 {
			break
		}
	}
	got, err := Replay(journal(t, steps))
	must(t, err)
	switch p := got.Parted; {
	case p == nil || got.Steps != at || p.Seq != uint64(at)+3 || p.Version != "v1":
		t.Errorf("got %+v, want it to part at step %d", got, at)
	case len(p.Written) != len(p.Now) || strings.Join(p.Written, "") == strings.Join(p.Now, "") || !strings.Contains(strings.Join(p.Now, ""), "WriteFlag"):
		t.Errorf("it says %q and %q; want the write of the flag in both, and different", p.Written, p.Now)
	}
}

// TestReplayDamaged does not judge by what was touched.
func TestReplayDamaged(t *testing.T) {
	path := journal(t, someSteps(t, 600))
	f, err := openFolder(path)
	must(t, err)
	names, err := f.names()
	must(t, err)
	must(t, os.Remove(path+"/"+names[1]))
	if _, err := Replay(path); err == nil || !strings.Contains(err.Error(), "entries are missing") {
		t.Errorf("got %v, want that entries are missing", err)
	}
}

// TestEveryEvent finds every event of the lease in the list, and has each come back as it was.
func TestEveryEvent(t *testing.T) {
	source, err := os.ReadFile("../lease/event.go")
	must(t, err)
	found := regexp.MustCompile(`func \((\w+)\) event\(\)`).FindAllStringSubmatch(string(source), -1)
	if len(found) != len(events) {
		t.Errorf("lease/event.go has %d events, the list %d", len(found), len(events))
	}
	for _, m := range found {
		if events[m[1]] == nil {
			t.Errorf("the list lacks %s", m[1])
		}
	}
	full := []lease.Event{
		lease.Start{Incarnation: 1<<64 - 1, BootID: "b", Saved: lease.Authority{Epoch: 3, Deadline: lease.Never, BootID: "b", Term: 4, Safety: "0011223344556677"}, Version: "v"},
		lease.RoundRead{ID: 3, Flags: []lease.FlagRead{{Outcome: lease.ReadMalformed, Flag: lease.Flag{State: lease.FlagActive, Epoch: 1, WriteID: lease.NewWriteID(1, 2), Term: 3}}}},
		lease.Asked{ID: 1, From: "b", Question: lease.Question{Verb: lease.VerbPledge, Epoch: 1, Authority: true, HandOver: true, Safety: "s", Term: 2}},
		lease.Answered{ID: 1, From: "b", Reached: true, CutOff: true, Answer: lease.Answer{State: lease.Active, Authority: true, Remaining: 5, Epoch: 1, Whose: "c", Granted: true, Why: "w", Safety: "s", Degraded: true, Term: 2, Behind: true}},
		lease.Health{Degraded: true, Causes: []string{"x"}, Behind: []string{"y"}},
		lease.TermRead{ID: 1, Outcome: lease.ReadFound, Record: lease.TermRecord{Holder: "1", Term: 2, Beat: 3, Duration: 4, MayHold: []string{"2"}, Epoch: 7, Base: lease.TermBase{Epoch: 5, After: 6, Safety: "s"}}},
	}
	for _, ev := range full {
		body, err := json.Marshal(Step{Now: 12, Event: ev})
		must(t, err)
		now, got, _, err := decodeStep(body)
		must(t, err)
		again, err := json.Marshal(Step{Now: now, Event: got})
		must(t, err)
		if string(again) != string(body) {
			t.Errorf("got %s, want %s", again, body)
		}
	}
}

// FuzzDecode reads what anybody may have put into the folder.
func FuzzDecode(f *testing.F) {
	f.Add([]byte("{}"))
	f.Add([]byte(`{"entry":{"seq":1,"time":"2026-01-01T00:00:00Z","kind":"file","body":{"after":"","group":"g","region":"a"}},"hash":""}` + "\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		s := scan(b, keys)
		if s.entries > 0 {
			t.Errorf("%d entries are signed by the region: %q", s.entries, b)
		}
		if s.err == nil || s.good != 0 {
			t.Errorf("%q: %+v, want an error", b, s)
		}
		decodeStep(b)
	})
}

// FuzzTouched writes anything over a part of a journal that the region has signed: what is read of it is what was written, up to what was
// touched.
func FuzzTouched(f *testing.F) {
	dir := f.TempDir()
	j, _ := open(f, dir, config())
	fill(f, j, 0, 4)
	must(f, j.Close())
	whole, err := os.ReadFile(filepath.Join(dir, fileName(1)))
	must(f, err)
	var want []Entry
	if s := scan(whole, keys, func(e Entry) error { want = append(want, e); return nil }); s.err != nil || len(want) != 5 {
		f.Fatalf("%+v, want it whole, with 5 entries", s)
	}
	second := bytes.IndexByte(whole, '\n') + 1
	f.Add(uint16(second), uint16(1), []byte(" {"))
	f.Add(uint16(second-1), uint16(0), []byte("}"))
	f.Add(uint16(second), uint16(0), whole[second:])
	f.Add(uint16(bytes.Index(whole, []byte(`"verb":"2"`))), uint16(10), []byte(`"verb":"7"`))
	f.Add(uint16(0), uint16(second), []byte{})
	f.Add(uint16(second), uint16(0), []byte(`{"entry":{},"hash":""}`+"\n"))
	f.Fuzz(func(t *testing.T, at, length uint16, with []byte) {
		from := min(int(at), len(whole))
		to := min(from+int(length), len(whole))
		touched := slices.Concat(whole[:from], with, whole[to:])
		var got []Entry
		scan(touched, keys, func(e Entry) error { got = append(got, e); return nil })
		if len(got) > len(want) || len(got) > 0 && !reflect.DeepEqual(got, want[:len(got)]) {
			t.Fatalf("%q over %d to %d: read %+v, want %+v or the first of them", with, from, to, got, want)
		}
		untouched := bytes.Count(whole[:from], []byte("\n"))
		if len(got) < untouched {
			t.Errorf("%q over %d to %d: read %d entries of the %d before that", with, from, to, len(got), untouched)
		}
	})
}
