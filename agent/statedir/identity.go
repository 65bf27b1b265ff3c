package statedir

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"regexp"
)

const identityName = "identity"

var identityForm = regexp.MustCompile(`^[0-9a-f]{16}\n$`)

// Identity is the directory's own: 16 hexadecimal digits, drawn once. It says who one is as no
// name can: only one process has the lock of the directory. With an error it is good for this
// start alone, and the next one draws another.
func (d *Dir) Identity() (string, error) {
	kept, err := d.readIdentity()
	if kept != "" {
		return kept, nil
	}
	raw := make([]byte, 8)
	rand.Read(raw) // never fails
	id := hex.EncodeToString(raw)
	if err == nil {
		err = d.replace(identityName, []byte(id+"\n"))
	}
	if err != nil {
		return id, fmt.Errorf("keep the identity: %w", err)
	}
	return id, nil
}

// readIdentity is the identity on disk; empty if there is none that can be understood.
func (d *Dir) readIdentity() (string, error) {
	f, err := d.root.Open(identityName)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", failed("open", d.file(identityName), err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, 64))
	if err != nil {
		return "", failed("read", d.file(identityName), err)
	}
	if !identityForm.Match(b) {
		return "", nil
	}
	return string(b[:len(b)-1]), nil
}
