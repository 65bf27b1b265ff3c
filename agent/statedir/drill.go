package statedir

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/openova-io/failoverd/audit"
)

const (
	drillName    = "drill.json"
	drillMaxSize = 1 << 20
)

// SaveDrill keeps the report of a drill, in place of the one before. When it returns nil, this is durable.
func (d *Dir) SaveDrill(of audit.Drill) error {
	d.drill.Lock()
	defer d.drill.Unlock()
	b, err := json.Marshal(of)
	if err == nil {
		err = d.replace(drillName, append(b, '\n'))
	}
	if err != nil {
		return fmt.Errorf("save the report of the drill: %w", err)
	}
	return nil
}

// LoadDrill is the report of the last drill; nil if there is none.
func (d *Dir) LoadDrill() (*audit.Drill, error) {
	d.drill.Lock()
	defer d.drill.Unlock()
	f, err := d.root.Open(drillName)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("load the report of the last drill: %w", failed("open", d.file(drillName), err))
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, drillMaxSize))
	if err != nil {
		return nil, fmt.Errorf("load the report of the last drill: %w", failed("read", d.file(drillName), err))
	}
	var of audit.Drill
	if err := json.Unmarshal(b, &of); err != nil {
		return nil, fmt.Errorf("load the report of the last drill: %s holds none: %w; the next drill writes it anew", d.file(drillName), err)
	}
	return &of, nil
}
