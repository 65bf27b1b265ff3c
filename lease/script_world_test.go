package lease_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/openova-io/failoverd/lease"
)

// epochOfClock is what the boot clock reads at 0s of a story.
const epochOfClock = lease.Instant(1000 * time.Second)

// A script is one region's machine in a world that answers by itself, until
// the story holds something back.
type script struct {
	p     lease.Params
	s     *lease.State
	d     lease.Decision
	now   time.Duration // since the beginning of the story
	trip  time.Duration // a call of the witness takes this long
	life  uint64        // counts the starts
	boot  string
	disk  lease.Authority
	out   strings.Builder
	queue []outcome // what the world will answer, by time

	registers  map[lease.Region]register // what reads of the flags return
	infos      map[lease.Region]string   // what reads of the info records return, "same" if not set
	held       map[string]bool           // what the world does not answer
	rounds     []lease.ReadRound         // held back
	writes     []lease.WriteFlag         // held back
	asks       []lease.Ask               // held back
	said       map[lease.Region]string   // what the others answer: see parseAnswer
	questions  uint64
	orders     orders
	shared     shared
	lastRead   time.Duration // sending of the last round
	lastAnswer string        // what it said of the others
}

// orders are the last ones of their kind.
type orders struct {
	fence, activate, info lease.ActionID
	save                  lease.SaveAuthority
}

// An outcome is something that the world answers at a time.
type outcome struct {
	at   time.Duration
	what string
	ev   func() lease.Event
}

// A register is what reads of one flag return.
type register struct {
	read lease.FlagRead
	live bool // renewed every renew_interval since
	from time.Duration
}

// set says what reads return from now on.
func (s *script) set(kind string, region lease.Region, vals []string) error {
	if len(vals) != 1 || !slices.Contains(s.p.Members, region) {
		return fmt.Errorf("%s %s: want REGION=VALUE", kind, region)
	}
	switch kind {
	case "infos":
		s.infos[region] = vals[0]
		return nil
	case "says":
		s.said[region] = vals[0]
		_, err := s.parseAnswer(lease.Ask{To: region}, vals[0])
		return err
	}
	r, err := s.parseRegister(region, vals[0])
	s.registers[region] = r
	return err
}

// parseRegister parses missing, unknown, malformed:N and
// candidate|active:EPOCH[/TERM]:wSEQ, where the last may end in + for a region that
// renews. wLIFE.SEQ is a write of another life of that agent.
func (s *script) parseRegister(region lease.Region, text string) (register, error) {
	text, live := strings.CutSuffix(text, "+")
	parts := strings.Split(text, ":")
	r := register{live: live, from: s.now}
	switch {
	case text == "missing":
		r.read.Outcome = lease.ReadMissing
	case text == "unknown":
		r.read.Outcome = lease.ReadUnknown
	case parts[0] == "malformed" && len(parts) == 2:
		n, err := strconv.ParseUint(parts[1], 10, 64)
		if err != nil {
			return r, err
		}
		r.read = lease.FlagRead{Outcome: lease.ReadMalformed, Flag: lease.Flag{WriteID: lease.NewWriteID(99, n)}}
	case len(parts) == 3 && strings.HasPrefix(parts[2], "w"):
		number, term, ofTerm := strings.Cut(parts[1], "/")
		epoch, err := strconv.ParseUint(number, 10, 64)
		if err != nil {
			return r, err
		}
		flag := lease.Flag{State: lease.FlagState(parts[0]), Epoch: epoch}
		if ofTerm {
			if flag.Term, err = strconv.ParseUint(term, 10, 64); err != nil {
				return r, err
			}
		}
		flag.WriteID, err = s.parseID(region, parts[2])
		if err != nil {
			return r, err
		}
		r.read = lease.FlagRead{Outcome: lease.ReadFound, Flag: flag}
	default:
		return r, fmt.Errorf("%q: want missing, unknown, malformed:N or STATE:EPOCH:wSEQ", text)
	}
	return r, nil
}

func (s *script) parseID(region lease.Region, text string) (lease.WriteID, error) {
	life, seq, two := strings.Cut(text[1:], ".")
	if !two {
		life, seq = "1", life
	}
	l, err := strconv.ParseUint(life, 10, 64)
	if err != nil {
		return lease.WriteID{}, err
	}
	n, err := strconv.ParseUint(seq, 10, 64)
	return lease.NewWriteID(s.incarnation(region, l), n), err
}

func (s *script) incarnation(region lease.Region, life uint64) uint64 {
	return 1000*uint64(slices.Index(s.p.Members, region)+1) + life
}

// setSaved puts authority on disk: none, or EPOCH@DEADLINE[/TERM], of this boot.
func (s *script) setSaved(text string) error {
	s.disk = lease.Authority{}
	if text == "none" {
		return nil
	}
	text, term, _ := strings.Cut(text, "/")
	epoch, deadline, _ := strings.Cut(text, "@")
	n, err := strconv.ParseUint(epoch, 10, 64)
	s.disk = lease.Authority{Epoch: n, Deadline: epochOfClock.Add(seconds(deadline)), BootID: "boot-1", Safety: lease.SafetyHash(s.p.Safety())}
	if err == nil && term != "" {
		s.disk.Term, err = strconv.ParseUint(term, 10, 64)
	}
	return err
}

// land puts a write that was held back, or whose answer was lost, into the own
// register without a word.
func (s *script) land(text string) error {
	r, err := s.parseRegister(s.p.Region, text)
	s.registers[s.p.Region] = r
	return err
}

// read is what a round returns now, with overrides.
func (s *script) read(round lease.ReadRound, reads map[lease.Region]register) lease.RoundRead {
	ev := lease.RoundRead{ID: round.ID}
	for _, m := range s.p.Members {
		r, ok := reads[m]
		if !ok {
			r, ok = s.registers[m]
		}
		if !ok {
			r.read.Outcome = lease.ReadMissing
		}
		if r.live {
			id := r.read.Flag.WriteID
			r.read.Flag.WriteID = lease.NewWriteID(id.Incarnation(), id.Seq()+uint64((s.now-r.from)/s.p.RenewInterval))
		}
		ev.Flags = append(ev.Flags, r.read)
		if round.Infos {
			ev.Infos = append(ev.Infos, s.readInfo(m))
		}
	}
	return ev
}

// readInfo is what a read of region's info record returns now: missing, unknown,
// malformed, same, or one that says something else: ttl:31s.
func (s *script) readInfo(region lease.Region) lease.InfoRead {
	switch text := s.infos[region]; text {
	case "missing":
		return lease.InfoRead{Outcome: lease.ReadMissing}
	case "unknown":
		return lease.InfoRead{Outcome: lease.ReadUnknown}
	case "malformed":
		return lease.InfoRead{Outcome: lease.ReadMalformed}
	default:
		safety := s.p.Safety()
		key, value, ok := strings.Cut(text, ":")
		if key == "mode" {
			return lease.InfoRead{Outcome: lease.ReadFound, Info: lease.Info{Safety: safety, Version: "v1", Mode: lease.Mode(value)}}
		}
		if ok {
			safety[key] = value
		}
		return lease.InfoRead{Outcome: lease.ReadFound, Info: lease.Info{Safety: safety, Version: "v1"}}
	}
}

// run lets time pass up to until, with a Tick at each Decision.Wake.
func (s *script) run(until time.Duration) error {
	if until < s.now {
		return fmt.Errorf("%v is in the past", until)
	}
	for {
		next := s.wake()
		answer := len(s.queue) > 0 && s.queue[0].at <= next
		if answer {
			next = s.queue[0].at
		}
		if next > until {
			break
		}
		s.now = next
		if answer {
			s.deliver()
		} else {
			s.step("", lease.Tick{})
		}
	}
	s.now = until
	s.printState()
	return nil
}

// freeze stops the agent for d: what the world answers waits for it.
func (s *script) freeze(d time.Duration, tickFirst bool) error {
	s.now += d
	fmt.Fprintf(&s.out, "(thaws at %s)\n", s.time(s.now))
	if tickFirst {
		s.step("", lease.Tick{})
	}
	for len(s.queue) > 0 && s.queue[0].at <= s.now {
		s.deliver()
	}
	s.step("", lease.Tick{})
	s.printState()
	return nil
}

func (s *script) wake() time.Duration {
	if s.d.Wake == lease.Never {
		return 1<<63 - 1
	}
	return s.d.Wake.Sub(epochOfClock)
}

func (s *script) deliver() {
	o := s.queue[0]
	s.queue = s.queue[1:]
	ev := o.ev()
	what := o.what
	if r, ok := ev.(lease.RoundRead); ok {
		what = s.answerText(r.ID, r)
	}
	s.step(what, ev)
}

// answerIn has the world answer after d.
func (s *script) answerIn(d time.Duration, what string, ev func() lease.Event) {
	i := len(s.queue)
	for i > 0 && s.queue[i-1].at > s.now+d {
		i--
	}
	s.queue = slices.Insert(s.queue, i, outcome{s.now + d, what, ev})
}

// step is one Step, and what the world makes of its actions.
func (s *script) step(what string, ev lease.Event) {
	actions, d := s.s.Step(epochOfClock.Add(s.now), ev)
	s.d = d
	line := &lines{script: s}
	if what != "" {
		line.print(what)
	}
	for _, a := range actions {
		if text := s.perform(a); text != "" {
			line.print(text)
		}
	}
}

// perform begins an action and returns how to tell of it; nothing for what is
// of no interest: polls, as long as the world answers them.
func (s *script) perform(a lease.Action) string {
	switch a := a.(type) {
	case lease.WriteFlag:
		return s.performWrite(a)
	case lease.ReadRound:
		poll := s.now >= s.lastRead+s.p.PollInterval
		s.lastRead = s.now
		if s.held["reads"] {
			s.rounds = append(s.rounds, a)
			return "read " + roundName(a.ID)
		}
		s.answerIn(s.trip, "", func() lease.Event { return s.read(a, nil) })
		if !poll {
			return "read, as it is due"
		}
		return ""
	case lease.ReadTerm:
		return s.performTerm(a.ID, nil)
	case lease.WriteTerm:
		return s.performTerm(a.ID, &a)
	case lease.StandDown:
		return "leave the layers as they are"
	case lease.Ask:
		return s.performAsk(a)
	case lease.WriteInfo:
		s.orders.info = a.ID
		if !s.held["infos"] {
			s.answerIn(s.trip, "", func() lease.Event { return lease.InfoWritten{ID: a.ID, Acked: true} })
		}
		return "write info"
	case lease.SaveAuthority:
		s.orders.save = a
		if !s.held["disk"] {
			s.answerIn(10*time.Millisecond, "", func() lease.Event {
				s.disk = a.Authority
				return lease.AuthoritySaved{ID: a.ID, OK: true}
			})
		}
		if a.Authority.Deadline <= epochOfClock.Add(s.now) {
			return fmt.Sprintf("save that epoch %d has ended", a.Authority.Epoch)
		}
		return fmt.Sprintf("save epoch %d until %s", a.Authority.Epoch, at(a.Authority.Deadline))
	case lease.Fence:
		s.orders.fence = a.ID
		if !s.held["layers"] {
			s.answerIn(time.Second, "layers fenced", func() lease.Event { return lease.LayersFenced{ID: a.ID} })
		}
		return fmt.Sprintf("fence the layers by %s, epoch %d", at(a.Deadline), a.Epoch)
	case lease.Activate:
		s.orders.activate = a.ID
		if !s.held["layers"] {
			s.answerIn(time.Second, "layers active", func() lease.Event { return lease.LayersActive{ID: a.ID} })
		}
		return fmt.Sprintf("activate the layers, epoch %d, not after %s", a.Epoch, at(a.Deadline))
	}
	return actionText(a)
}

func (s *script) performWrite(a lease.WriteFlag) string {
	id := s.idName(a.Flag.WriteID)
	if s.held["writes"] {
		s.writes = append(s.writes, a)
	} else {
		s.answerIn(s.trip, "acked "+id, func() lease.Event {
			s.registers[s.p.Region] = register{read: lease.FlagRead{Outcome: lease.ReadFound, Flag: a.Flag}}
			return lease.FlagWritten{ID: a.ID, Acked: true}
		})
	}
	return fmt.Sprintf("write %s epoch %d %s", a.Flag.State, a.Flag.Epoch, id)
}
