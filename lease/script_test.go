package lease_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"github.com/openova-io/failoverd/lease"
)

// TestScripts runs testdata/*.txt: stories of one region, told to the real
// machine. testdata/README.md explains the commands. After a change, run with
// -rewrite and read the diff as a change of the protocol.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("got %d scripts (%v), want some", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			var s *script
			datadriven.RunTest(t, file, func(t *testing.T, td *datadriven.TestData) string {
				if td.Cmd == "start" {
					s = newScript(td)
				}
				if s == nil {
					td.Fatalf(t, "%s before start", td.Cmd)
				}
				if err := s.command(td); err != nil {
					td.Fatalf(t, "%v", err)
				}
				return s.flush()
			})
		})
	}
}

// defaults are the parameters of DESIGN.md.
func defaults() lease.Params {
	return lease.Params{
		Group: "g", Region: "a", Members: []lease.Region{"a", "b"},
		TTL: 30 * time.Second, RenewInterval: 10 * time.Second, RetryInterval: 2 * time.Second,
		PollInterval: 2 * time.Second, RequestTimeout: 5 * time.Second, FenceTimeout: 10 * time.Second,
		MaxClockDrift: 0.002, Staleness: 60 * time.Second,
		MaxHandOvers: 2, HandOverWindow: time.Minute, ApprovalTimeout: 10 * time.Minute,
	}
}

// newScript begins a story: a region, at 0s, in a witness that is empty but for
// the info records.
func newScript(td *datadriven.TestData) *script {
	s := &script{
		p: defaults(), trip: 100 * time.Millisecond, boot: "boot-1",
		registers: map[lease.Region]register{}, infos: map[lease.Region]string{}, held: map[string]bool{},
		said: map[lease.Region]string{},
	}
	for _, arg := range td.CmdArgs {
		switch arg.Key {
		case "region":
			s.p.Region = lease.Region(arg.Vals[0])
		case "members":
			s.p.Members = regions(arg.Vals)
		case "quorum":
			s.p.Quorum = true
		case "mode":
			s.p.Mode = lease.Mode(arg.Vals[0])
		case "instance":
			s.p.Instance, s.p.TermDuration = arg.Vals[0], 4*time.Second
		case "absent":
			s.p.KnownAbsent = regions(arg.Vals)
		case "hold":
			for _, what := range arg.Vals {
				s.held[what] = true
			}
		}
	}
	for key, d := range map[string]*time.Duration{
		"ttl": &s.p.TTL, "renew": &s.p.RenewInterval, "retry": &s.p.RetryInterval, "poll": &s.p.PollInterval,
		"timeout": &s.p.RequestTimeout, "fence": &s.p.FenceTimeout, "staleness": &s.p.Staleness, "trip": &s.trip, "window": &s.p.HandOverWindow, "approval": &s.p.ApprovalTimeout,
	} {
		if arg, ok := td.Arg(key); ok {
			*d = seconds(arg.Vals[0])
		}
	}
	return s
}

// command carries one command of a script out.
func (s *script) command(td *datadriven.TestData) error {
	switch td.Cmd {
	case "start", "restart":
		return s.start(td)
	case "advance":
		return s.run(s.now + seconds(td.CmdArgs[0].Key))
	case "at":
		return s.run(seconds(td.CmdArgs[0].Key))
	case "freeze":
		return s.freeze(seconds(td.CmdArgs[0].Key), td.HasArg("tick-first"))
	case "reads", "infos", "says":
		for _, arg := range td.CmdArgs {
			if err := s.set(td.Cmd, lease.Region(arg.Key), arg.Vals); err != nil {
				return err
			}
		}
		return nil
	case "hold", "serve":
		for _, arg := range td.CmdArgs {
			if !slices.Contains([]string{"reads", "writes", "infos", "disk", "layers", "answers", "term"}, arg.Key) {
				return fmt.Errorf("%s %q: want reads, writes, infos, disk, layers, answers or term", td.Cmd, arg.Key)
			}
			s.held[arg.Key] = td.Cmd == "hold"
		}
		return nil
	case "answer", "ack", "lose", "saved", "not-saved", "fenced", "activated", "info-acked", "info-lost":
		return s.outcome(td)
	case "record":
		return s.setRecord(td)
	case "print-record":
		fmt.Fprintln(&s.out, recordText(s.shared.record))
		return nil
	case "land":
		return s.land(td.CmdArgs[0].Key)
	case "asked":
		return s.beAsked(td)
	case "told":
		return s.told(td)
	case "hand-over":
		s.step("hand over to "+td.CmdArgs[0].Key, lease.HandOver{To: lease.Region(td.CmdArgs[0].Key), Loan: td.HasArg("loan")})
	case "recall":
		s.step("recall", lease.Recall{})
	case "health":
		ev := lease.Health{Degraded: td.CmdArgs[0].Key == "degraded"}
		if ev.Degraded {
			ev.Causes = []string{"gateway"}
		}
		if td.CmdArgs[0].Key == "behind" {
			ev.Behind = []string{"shop/db by 20.0 MiB"}
		}
		s.step(td.CmdArgs[0].Key, ev)
	case "leave-gates":
		s.printGates(s.s.LeaveGates())
		return nil
	case "takeover":
		until := s.now + s.p.RequestTimeout
		if arg, ok := td.Arg("until"); ok {
			until = seconds(arg.Vals[0])
		}
		if len(td.CmdArgs) == 0 {
			s.step("an operator says: take", lease.Takeover{Until: epochOfClock.Add(until)})
			break
		}
		s.step("an operator says that "+td.CmdArgs[0].Key+" is fenced", lease.Takeover{Fenced: lease.Region(td.CmdArgs[0].Key), Until: epochOfClock.Add(until)})
	case "approve":
		kind := lease.RequestKind(td.CmdArgs[0].Key)
		for _, g := range s.s.ApproveGates(kind) {
			if !g.Open {
				fmt.Fprintf(&s.out, "refused: %s\n", g.Code)
				return nil
			}
		}
		s.step("an operator approves", lease.Approve{Kind: kind, Until: epochOfClock.Add(s.now + s.p.RequestTimeout)})
	case "pause":
		s.step("an operator says: pause", lease.Pause{For: seconds(td.CmdArgs[0].Key)})
	case "resume":
		s.step("an operator says: resume", lease.Pause{})
	case "release":
		s.step("release", lease.Release{})
	case "tick":
		s.step("", lease.Tick{})
	case "state":
	case "gates":
		s.printGates(s.s.Gates())
		return nil
	case "peers":
		s.printPeers()
		return nil
	case "alarms":
		s.printAlarms()
		return nil
	case "wake":
		fmt.Fprintf(&s.out, "next at %s\n", at(s.d.Wake))
		return nil
	default:
		return fmt.Errorf("unknown command %q", td.Cmd)
	}
	s.printState()
	return nil
}

// start begins a life of the agent: at once, in the world as it is.
func (s *script) start(td *datadriven.TestData) error {
	if arg, ok := td.Arg("boot"); ok {
		s.boot = arg.Vals[0]
	}
	if arg, ok := td.Arg("ttl"); ok {
		s.p.TTL = seconds(arg.Vals[0])
	}
	if arg, ok := td.Arg("saved"); ok {
		if err := s.setSaved(arg.Vals[0]); err != nil {
			return err
		}
	}
	s.life++
	s.queue, s.rounds, s.writes, s.asks, s.orders = nil, nil, nil, nil, orders{}
	s.lastRead, s.lastAnswer = -time.Hour, ""
	s.s = lease.New(s.p).Strict()
	s.d = lease.Decision{}
	s.step(td.Cmd, lease.Start{Incarnation: s.incarnation(s.p.Region, s.life), BootID: s.boot, Saved: s.disk, Version: "v1"})
	s.printState()
	return nil
}

// outcome tells the machine how something ended that the script held back.
func (s *script) outcome(td *datadriven.TestData) error {
	var which string
	reads := map[lease.Region]register{}
	for _, arg := range td.CmdArgs {
		if arg.Vals == nil {
			which = arg.Key
			continue
		}
		r, err := s.parseRegister(lease.Region(arg.Key), arg.Vals[0])
		if err != nil {
			return err
		}
		reads[lease.Region(arg.Key)] = r
	}
	switch td.Cmd {
	case "answer":
		i := indexOrLast(s.rounds, func(r lease.ReadRound) bool { return roundName(r.ID) == which }, which)
		if i < 0 {
			return fmt.Errorf("no such round %q", which)
		}
		round := s.rounds[i]
		s.rounds = slices.Delete(s.rounds, i, i+1)
		ev := s.read(round, reads)
		s.step(s.answerText(round.ID, ev), ev)
	case "ack", "lose":
		i := indexOrLast(s.writes, func(w lease.WriteFlag) bool { return s.idName(w.Flag.WriteID) == which }, which)
		if i < 0 {
			return fmt.Errorf("no such write %q", which)
		}
		w := s.writes[i]
		s.writes = slices.Delete(s.writes, i, i+1)
		if td.Cmd == "ack" {
			s.registers[s.p.Region] = register{read: lease.FlagRead{Outcome: lease.ReadFound, Flag: w.Flag}}
		}
		s.step(map[string]string{"ack": "acked ", "lose": "no answer to "}[td.Cmd]+s.idName(w.Flag.WriteID), lease.FlagWritten{ID: w.ID, Acked: td.Cmd == "ack"})
	case "saved", "not-saved":
		if td.Cmd == "saved" {
			s.disk = s.orders.save.Authority
		}
		s.step(td.Cmd, lease.AuthoritySaved{ID: s.orders.save.ID, OK: td.Cmd == "saved"})
	case "fenced":
		s.step("layers fenced", lease.LayersFenced{ID: s.orders.fence})
	case "activated":
		s.step("layers active", lease.LayersActive{ID: s.orders.activate})
	case "info-acked", "info-lost":
		s.step(td.Cmd, lease.InfoWritten{ID: s.orders.info, Acked: td.Cmd == "info-acked"})
	}
	s.printState()
	return nil
}

// indexOrLast is the index of the element that was asked for by name, or the last.
func indexOrLast[E any](list []E, is func(E) bool, name string) int {
	if name == "" {
		return len(list) - 1
	}
	return slices.IndexFunc(list, is)
}

func regions(names []string) []lease.Region {
	var rs []lease.Region
	for _, n := range names {
		rs = append(rs, lease.Region(n))
	}
	return rs
}

func seconds(s string) time.Duration {
	d, err := time.ParseDuration(s)
	if err != nil {
		panic(err)
	}
	return d
}
