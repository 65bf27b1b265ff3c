package statedir

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/openova-io/failoverd/agent/gap"
	"github.com/openova-io/failoverd/audit"
	"github.com/openova-io/failoverd/lease"
)

const (
	historyName    = "history.jsonl"
	historyOldName = "history.1.jsonl" // the one before; the one before that is dropped
	historyMaxSize = 1 << 20           // of each of the two
)

// An Entry is one transition of the region's lease.
type Entry struct {
	Time   time.Time        `json:"time"` // wall clock: for people, never for a decision
	Region lease.Region     `json:"region"`
	From   lease.StateName  `json:"from"`
	To     lease.StateName  `json:"to"`
	Epoch  uint64           `json:"epoch"`
	Reason lease.ReasonCode `json:"reason"`

	By  *audit.Command `json:"by,omitempty"`  // whoever has commanded it; nil for nobody
	Gap *gap.Gap       `json:"gap,omitempty"` // in authority, that it ended or began; nil for none, or if its end is not known
}

// AppendHistory adds an entry durably. When it fails, all that was there is
// still there, and nothing of the entry is.
func (d *Dir) AppendHistory(e Entry) error { return d.appendHistory(e, true) }

// AppendDetail adds a detail of the newest entries. The end of the machine may take it away.
func (d *Dir) AppendDetail(of Detail) error { return d.appendHistory(of, false) }

func (d *Dir) appendHistory(what any, durable bool) error {
	d.history.Lock()
	defer d.history.Unlock()
	if err := d.appendLine(what, durable); err != nil {
		return fmt.Errorf("write history: %w", err)
	}
	return nil
}

func (d *Dir) appendLine(what any, durable bool) error {
	line, err := json.Marshal(what)
	if err != nil {
		return err // a year beyond 9999
	}
	line = append(line, '\n')
	path := d.file(historyName)

	if info, err := d.root.Stat(historyName); err == nil && info.Size()+int64(len(line)) > historyMaxSize {
		if err := d.root.Rename(historyName, historyOldName); err != nil {
			return failed("rename to "+historyOldName, path, err)
		}
	}
	f, err := d.create(historyName, os.O_RDWR|os.O_APPEND)
	if err != nil {
		return failed("open", path, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return failed("open", path, err)
	}
	size := info.Size()
	d.listed = d.listed && size > 0
	if size > 0 {
		// A crash may have torn the last line. It must not swallow this one too.
		last := make([]byte, 1)
		if _, err := f.ReadAt(last, size-1); err != nil {
			return failed("read", path, err)
		}
		if last[0] != '\n' {
			line = append([]byte{'\n'}, line...)
		}
	}
	if _, err := f.Write(line); err != nil {
		f.Truncate(size) // a full disk may have taken half of it
		return failed("write", path, err)
	}
	if !durable {
		return nil
	}
	if err := f.Sync(); err != nil {
		f.Truncate(size)
		return failed("sync", path, err)
	}
	if !d.listed { // the file itself may be new
		if err := d.syncDir(); err != nil {
			f.Truncate(size)
			return err
		}
		d.listed = true
	}
	return nil
}

// ReadHistory returns the newest entries of a state directory with all that came of them, at most limit of them (all if it is 0
// or less), oldest first. Lines that a crash has torn are left out. It takes no lock and writes nothing: whoever has the directory
// open is not held up.
func ReadHistory(path string, limit int) ([]Episode, error) {
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, fmt.Errorf("read history: %w", failed("open state directory", path, err))
	}
	defer root.Close()
	var lines []byte
	var episodes []Episode
	for _, name := range []string{historyName, historyOldName} {
		if limit > 0 && len(episodes) >= limit {
			break
		}
		b, err := readEnd(root, name, historyMaxSize)
		if err != nil {
			return nil, fmt.Errorf("read history: %w", failed("read", path+"/"+name, err))
		}
		lines = append(append(b, '\n'), lines...)
		episodes = decodeHistory(lines)
	}
	if limit > 0 && len(episodes) > limit {
		episodes = slices.Clone(episodes[len(episodes)-limit:])
	}
	return episodes, nil
}

// readEnd reads the last bytes of a file, at most limit of them; none if there
// is no such file. More are never there, unless someone else wrote them.
func readEnd(root *os.Root, name string, limit int64) ([]byte, error) {
	f, err := root.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.NewSectionReader(f, max(0, info.Size()-limit), limit))
}

// decodeHistory reads the lines that are whole entries, or details of these.
func decodeHistory(b []byte) []Episode {
	var all []Episode
	for line := range bytes.Lines(b) {
		var e Entry
		switch err := json.Unmarshal(line, &e); {
		case err != nil || e.Time.IsZero():
		case e.To != "":
			all = append(all, Episode{Entry: e})
		default:
			var of Detail
			if json.Unmarshal(line, &of) == nil {
				of.add(all)
			}
		}
	}
	return all
}
