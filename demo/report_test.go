package demo

import (
	"bytes"
	"strings"
	"testing"
)

func TestBeyondBound(t *testing.T) {
	r := Report{Acts: []Act{{Name: "killed", Region: "fsn", Gap: 3, Bound: 3.4}}}
	if err := r.Err(); err != nil {
		t.Errorf("got %v, want nothing", err)
	}
	r.Acts = append(r.Acts, Act{Name: "frozen", Region: "hel", Gap: 3.5, Bound: 3.4})
	if err := r.Err(); err == nil || !strings.Contains(err.Error(), "frozen: hel was active, and then there was no answer for 3.50 s, the bound is 3.40 s") {
		t.Errorf("got %v, want that hel was frozen for too long", err)
	}
	r.Lost = 2
	if err := r.Err(); err == nil || !strings.Contains(err.Error(), "lost 2 times") {
		t.Errorf("got %v, want the authorities that were lost", err)
	}
	r = Report{Lost: 2, Journals: []Journal{{Region: "fsn", Entries: 9}, {Region: "hel", Entries: 9, Wrong: "entry 7: told {}, the lease now wants [] and wanted [Activate]"}}}
	if err := r.Err(); err == nil || !strings.Contains(err.Error(), "the journal of hel: entry 7") {
		t.Errorf("got %v, want that the journal of hel is wrong", err)
	}
	r.Acts = []Act{{Name: "killed", Gap: 3, Bound: 3.4}, {Name: "frozen", Gap: 3.5, Bound: 3.4}}
	if got := r.Longest().Name; got != "frozen" {
		t.Errorf("the longest is %q, want the one of 3.5 s", got)
	}
}

// TestPrint: that all went well is said only if it did.
func TestPrint(t *testing.T) {
	const well = "Two regions never answered at once. The longest gap: 3.00 s, its bound 3.40 s."
	act := Act{Name: "killed", Region: "fsn", Successor: "hel", Epoch: 2, Gap: 3, Bound: 3.4, Formula: "ttl" + clientAdds}
	beyond := act
	beyond.Gap = 3.41
	for _, tt := range []struct {
		name   string
		report Report
		want   bool
	}{
		{"well", Report{Acts: []Act{act}, Asked: 2, One: 1, None: 1, Complete: true}, true},
		{"well, on a busy machine", Report{Acts: []Act{act}, Asked: 2, One: 1, None: 1, Calm: 999, Complete: true}, true},
		{"an authority lost", Report{Acts: []Act{act}, Asked: 2, One: 1, None: 1, Lost: 1, Complete: true}, false},
		{"two answered", Report{Acts: []Act{act}, Asked: 3, One: 1, None: 1, Two: 1, Complete: true}, false},
		{"beyond the bound", Report{Acts: []Act{beyond}, Asked: 2, One: 1, None: 1, Complete: true}, false},
		{"stopped", Report{Acts: []Act{act}, Asked: 2, One: 1, None: 1}, false},
		{"stopped before anything was done", Report{Asked: 1, None: 1}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			tt.report.Print(&out)
			wantNarrow(t, out.String())
			if got := strings.Contains(out.String(), well); got != tt.want {
				t.Errorf("says that all went well: %v, want %v:\n%s", got, tt.want, &out)
			}
		})
	}
}
