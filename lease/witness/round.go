package witness

import (
	"context"
	"sync"

	"github.com/openova-io/failoverd/lease"
)

// A Round is what one round of reads returned: one entry per member, in the
// members' order. An entry of FlagErrors or InfoErrors is nil unless the read
// beside it is unknown (the cause) or malformed (the defect). Infos and
// InfoErrors are nil if the round did not ask for them. Stamps are those beside the flags, nil where there is none.
type Round struct {
	Flags      []lease.FlagRead
	Stamps     []*Stamp
	FlagErrors []error
	Infos      []lease.InfoRead
	InfoErrors []error
}

// ReadRound reads the flags of all members, this region's own too, and with
// infos their info records, all at once. It returns when each read has ended,
// soon after ctx does at the latest. All reads are sent after ReadRound was
// called, which is what the waits of §3 (take) are counted to.
func (w *Witness) ReadRound(ctx context.Context, infos bool) Round {
	n := len(w.cfg.Members)
	r := Round{Flags: make([]lease.FlagRead, n), Stamps: make([]*Stamp, n), FlagErrors: make([]error, n)}
	if infos {
		r.Infos, r.InfoErrors = make([]lease.InfoRead, n), make([]error, n)
	}
	var wg sync.WaitGroup
	for i, m := range w.cfg.Members {
		wg.Go(func() { r.Flags[i], r.Stamps[i], r.FlagErrors[i] = w.readFlag(ctx, m) })
		if infos {
			wg.Go(func() { r.Infos[i], r.InfoErrors[i] = w.ReadInfo(ctx, m) })
		}
	}
	wg.Wait()
	return r
}
