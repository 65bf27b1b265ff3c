package statedir

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/openova-io/failoverd/audit"
)

func TestDrill(t *testing.T) {
	path := t.TempDir()
	d := open(t, path)
	if got, err := d.LoadDrill(); got != nil || err != nil {
		t.Errorf("LoadDrill() of a new directory = %+v, %v; want nothing", got, err)
	}
	began := time.Date(2026, 11, 26, 3, 0, 0, 0, time.UTC)
	of := audit.Drill{Group: "g", Region: "fsn", To: "hel", User: "root", Reason: "november", Began: began, Ended: began.Add(time.Minute), Steps: []audit.DrillStep{{What: "fsn is fenced", Seconds: 0.2, Bound: 10, OK: true}}, Done: true}
	must(t, d.SaveDrill(audit.Drill{Region: "fsn", To: "nbg"}))
	must(t, d.SaveDrill(of))
	d.Close()
	d = open(t, path)
	if got, err := d.LoadDrill(); err != nil || !reflect.DeepEqual(*got, of) {
		t.Errorf("LoadDrill() = %+v, %v; want %+v", got, err, of)
	}
	must(t, os.WriteFile(filepath.Join(path, drillName), []byte("{"), 0o600))
	if got, err := d.LoadDrill(); got != nil || err == nil || !strings.Contains(err.Error(), "holds none") {
		t.Errorf("LoadDrill() of a damaged file = %+v, %v; want an error", got, err)
	}
}
