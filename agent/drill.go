package agent

import (
	"context"
	"fmt"

	"github.com/openova-io/failoverd/audit"
)

// drilled is the report of a drill, on its way to the owner.
type drilled struct {
	report audit.Drill
	done   chan error
}

// Drilled keeps the report of a drill that has ended: in the journal, on disk, and in Status until the next one. It returns when
// the report is on disk. Any goroutine may call it.
func (a *Agent) Drilled(ctx context.Context, report audit.Drill) error {
	if report.Group != a.cfg.Params.Group || report.Region != a.cfg.Params.Region {
		return fmt.Errorf("it is of %s of group %s, want %s of group %s", report.Region, report.Group, a.cfg.Params.Region, a.cfg.Params.Group)
	}
	m := &drilled{report, make(chan error, 1)}
	return a.hand(ctx, m, m.done)
}

// keepDrill keeps the report of a drill.
func (a *Agent) keepDrill(m *drilled) {
	if a.recorder != nil {
		a.recorder.record(audit.KindDrill, m.report, true, false)
	}
	a.drill = &m.report
	a.publish()
	a.onDisk(func() { m.done <- a.cfg.Disk.SaveDrill(m.report) }, func() { m.done <- errDiskBusy })
}
