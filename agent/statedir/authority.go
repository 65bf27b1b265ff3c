package statedir

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/openova-io/failoverd/lease"
)

const (
	authorityName    = "authority.json"
	authorityVersion = 1
	authorityMaxSize = 4 << 10
)

// authorityFile is the content of authority.json.
type authorityFile struct {
	Version   int             `json:"version"`
	Authority json.RawMessage `json:"authority"`
	SHA256    string          `json:"sha256"` // of Authority's bytes: a flipped digit of a deadline must not pass
}

// SaveAuthority puts the authority on disk in place of the one before; the zero
// value removes that. When it returns nil, this is durable.
func (d *Dir) SaveAuthority(a lease.Authority) error {
	d.authority.Lock()
	defer d.authority.Unlock()
	if a == (lease.Authority{}) {
		if err := d.root.Remove(authorityName); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove the saved authority: %w", failed("remove", d.file(authorityName), err))
		}
		// Also where nothing was there: an earlier removal may not be durable yet.
		if err := d.syncDir(); err != nil {
			return fmt.Errorf("remove the saved authority: %w", err)
		}
		return nil
	}
	if err := d.replace(authorityName, encodeAuthority(a)); err != nil {
		return fmt.Errorf("save authority: %w", err)
	}
	return nil
}

// LoadAuthority returns the authority on disk, the zero value if there is none.
// With an error it is always the zero value. Whether it still stands (the boot,
// the deadline) is the caller's to judge.
func (d *Dir) LoadAuthority() (lease.Authority, error) {
	d.authority.Lock()
	defer d.authority.Unlock()
	return readAuthority(d.root, d.file(authorityName))
}

// ReadAuthority reads the authority in a state directory that another process, or none, has open. It takes no lock and
// writes nothing.
func ReadAuthority(path string) (lease.Authority, error) {
	root, err := os.OpenRoot(path)
	if errors.Is(err, fs.ErrNotExist) {
		return lease.Authority{}, nil
	}
	if err != nil {
		return lease.Authority{}, fmt.Errorf("load authority: %w", failed("open state directory", path, err))
	}
	defer root.Close()
	return readAuthority(root, filepath.Join(path, authorityName))
}

func readAuthority(root *os.Root, path string) (lease.Authority, error) {
	f, err := root.Open(authorityName)
	if errors.Is(err, fs.ErrNotExist) {
		return lease.Authority{}, nil
	}
	if err != nil {
		return lease.Authority{}, fmt.Errorf("load authority: %w", failed("open", path, err))
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, authorityMaxSize+1))
	if err != nil {
		return lease.Authority{}, fmt.Errorf("load authority: %w", failed("read", path, err))
	}
	a, err := decodeAuthority(b)
	if err != nil {
		return lease.Authority{}, fmt.Errorf("load authority: %s is not used: %w; nothing is to be done, the region fences first and writes it anew", path, err)
	}
	return a, nil
}

func encodeAuthority(a lease.Authority) []byte {
	raw, err := json.Marshal(a)
	if err != nil {
		panic(err) // numbers and a string always encode
	}
	b, err := json.Marshal(authorityFile{authorityVersion, raw, digest(raw)})
	if err != nil {
		panic(err)
	}
	return append(b, '\n')
}

// decodeAuthority reads what encodeAuthority wrote, and nothing else.
func decodeAuthority(b []byte) (lease.Authority, error) {
	if len(b) > authorityMaxSize {
		return lease.Authority{}, fmt.Errorf("it has more than %d bytes", authorityMaxSize)
	}
	var file authorityFile
	if err := json.Unmarshal(b, &file); err != nil {
		return lease.Authority{}, fmt.Errorf("it is corrupt: %w", err)
	}
	if file.Version != authorityVersion {
		return lease.Authority{}, fmt.Errorf("it has version %d, want %d", file.Version, authorityVersion)
	}
	if got := digest(file.Authority); got != file.SHA256 {
		return lease.Authority{}, fmt.Errorf("it is corrupt: its sha256 is %s, it says %q", got, file.SHA256)
	}
	var a lease.Authority
	dec := json.NewDecoder(bytes.NewReader(file.Authority))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&a); err != nil {
		return lease.Authority{}, fmt.Errorf("it is corrupt: %w", err)
	}
	if a.BootID == "" || a.Deadline <= 0 || a.Deadline == lease.Never {
		return lease.Authority{}, fmt.Errorf("it makes no sense: deadline %d of boot %q", a.Deadline, a.BootID)
	}
	return a, nil
}

func digest(b []byte) string {
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}
