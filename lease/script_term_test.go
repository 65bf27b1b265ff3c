package lease_test

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/cockroachdb/datadriven"

	"github.com/openova-io/failoverd/lease"
)

// shared is the record of the region's instances, as the story has it.
type shared struct {
	record lease.TermRecord
	live   bool // its holder beats since
	from   time.Duration
}

// now is the record as it is now: the holder may have beaten since.
func (s *script) sharedNow() lease.TermRecord {
	r := s.shared.record
	if s.shared.live {
		r.Beat += uint64((s.now - s.shared.from) / (r.Duration / 4))
	}
	return r
}

// setRecord is what another instance has made of the record: holder=2 term=3 beat=5
// [base=EPOCH@BEAT] [epoch=EPOCH] [may-hold=(1,3)] [live].
func (s *script) setRecord(td *datadriven.TestData) error {
	s.shared = shared{record: lease.TermRecord{Duration: s.p.TermDuration}, from: s.now}
	r := &s.shared.record
	for _, arg := range td.CmdArgs {
		var err error
		switch arg.Key {
		case "holder":
			r.Holder = strings.Join(arg.Vals, "")
		case "term":
			r.Term, err = strconv.ParseUint(arg.Vals[0], 10, 64)
		case "beat":
			r.Beat, err = strconv.ParseUint(arg.Vals[0], 10, 64)
		case "base":
			_, err = fmt.Sscanf(arg.Vals[0], "%d@%d", &r.Base.Epoch, &r.Base.After)
			r.Base.Safety = lease.SafetyHash(s.p.Safety())
		case "epoch":
			r.Epoch, err = strconv.ParseUint(arg.Vals[0], 10, 64)
		case "may-hold":
			r.MayHold = arg.Vals
		case "live":
			s.shared.live = true
		default:
			err = fmt.Errorf("%q: want holder, term, beat, base, epoch, may-hold or live", arg.Key)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// performTerm answers a read or a write of the record.
func (s *script) performTerm(id lease.ActionID, write *lease.WriteTerm) string {
	if !s.held["term"] {
		s.answerIn(s.trip, "", func() lease.Event {
			was := s.sharedNow()
			switch {
			case write == nil && was.Beat == 0:
				return lease.TermRead{ID: id, Outcome: lease.ReadMissing}
			case write == nil:
				return lease.TermRead{ID: id, Outcome: lease.ReadFound, Record: was}
			case write.After.Beat != was.Beat:
				return lease.TermWritten{ID: id, Outcome: lease.TermRefused}
			}
			s.shared = shared{record: write.Record, from: s.now}
			return lease.TermWritten{ID: id, Outcome: lease.TermAcked}
		})
	}
	if write == nil || write.Record.Holder == write.After.Holder && len(write.Record.MayHold) == len(write.After.MayHold) && write.Record.Base.Epoch == write.After.Base.Epoch && write.Record.Epoch == write.After.Epoch {
		return "" // a beat
	}
	return "write the record: " + recordText(write.Record)
}

func recordText(r lease.TermRecord) string {
	text := fmt.Sprintf("holder %q, term %d", r.Holder, r.Term)
	if r.Base.Epoch > 0 {
		text += fmt.Sprintf(", epoch %d since beat %d", r.Base.Epoch, r.Base.After)
	}
	if r.Epoch > r.Base.Epoch {
		text += fmt.Sprintf(", epochs used up to %d", r.Epoch)
	}
	if len(r.MayHold) > 0 {
		text += ", may hold: " + strings.Join(r.MayHold, " ")
	}
	return text
}
