package statedir

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"
)

const pauseName = "pause"

// SavePause keeps until when an operator has this region decide nothing by itself, on the wall clock: it is to
// outlive a reboot. The zero time removes it. When it returns nil, this is durable.
func (d *Dir) SavePause(until time.Time) error {
	d.pause.Lock()
	defer d.pause.Unlock()
	if until.IsZero() {
		if err := d.root.Remove(pauseName); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("end the pause: %w", failed("remove", d.file(pauseName), err))
		}
		if err := d.syncDir(); err != nil {
			return fmt.Errorf("end the pause: %w", err)
		}
		return nil
	}
	if err := d.replace(pauseName, []byte(until.UTC().Format(time.RFC3339)+"\n")); err != nil {
		return fmt.Errorf("save the pause: %w", err)
	}
	return nil
}

// LoadPause is until when the region is paused; the zero time if it is not.
func (d *Dir) LoadPause() (time.Time, error) {
	d.pause.Lock()
	defer d.pause.Unlock()
	f, err := d.root.Open(pauseName)
	if errors.Is(err, fs.ErrNotExist) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("load the pause: %w", failed("open", d.file(pauseName), err))
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, 64))
	if err != nil {
		return time.Time{}, fmt.Errorf("load the pause: %w", failed("read", d.file(pauseName), err))
	}
	until, err := time.Parse(time.RFC3339+"\n", string(b))
	if err != nil {
		return time.Time{}, fmt.Errorf("load the pause: %s holds no time: %w; failoverd pause, or failoverd resume, writes it anew", d.file(pauseName), err)
	}
	return until, nil
}
