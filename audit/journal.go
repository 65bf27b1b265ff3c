package audit

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/openova-io/failoverd/lease"
)

// Config is what a journal is made of.
type Config struct {
	Group    string
	Region   lease.Region
	Key      ed25519.PrivateKey // signs the entries; nil: they are not signed
	FileSize int64              // a file is not added to when it has reached this size; 0: 8 MiB
	Size     int64              // of the folder, about; 0: 256 MiB
	Now      func() time.Time   // nil: time.Now
}

// A Journal is open for writing. It belongs to one goroutine.
type Journal struct {
	cfg    Config
	folder folder
	file   *os.File
	name   string // of file
	size   int64  // of file: what is behind it is torn
	seq    uint64 // of the last entry
	hash   Hash   // of the last entry
	dirty  bool   // something is not synced
	untidy error  // what kept the last change of files from packing and trimming
}

// Open opens the journal in a folder, which it creates if it is not there. Only one process may have
// it open: who has the lock of the state directory that it is in. It returns what it has found, for
// people; the zero value is that all was well.
func Open(path string, cfg Config) (*Journal, Found, error) {
	if cfg.FileSize == 0 {
		cfg.FileSize = 8 << 20
	}
	if cfg.Size == 0 {
		cfg.Size = 256 << 20
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	j := &Journal{cfg: cfg}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, Found{}, fmt.Errorf("open the journal: %w", err)
	}
	var err error
	if j.folder, err = openFolder(path); err != nil {
		return nil, Found{}, fmt.Errorf("open the journal: %w", err)
	}
	found, err := j.resume()
	if err != nil {
		j.folder.close()
		return nil, Found{}, fmt.Errorf("open the journal: %w", err)
	}
	return j, found, nil
}

// Found is what Open found at the end of the newest file.
type Found struct {
	Cut     int64  // bytes of an entry that a crash had torn, and that are cut
	Damaged string // how a file is called now that could not be gone on from; empty if none
	Why     string // it could not
}

// resume goes on behind the last entry that is there.
func (j *Journal) resume() (found Found, err error) {
	names, err := j.folder.names()
	if err != nil {
		return Found{}, err
	}
	for len(names) > 0 {
		name := names[len(names)-1]
		b, err := j.folder.read(name)
		if err != nil {
			return Found{}, err
		}
		s := scan(b, nil)
		switch {
		case s.entries == 0 && s.torn: // a crash as it was begun
			if err := j.folder.remove(name); err != nil {
				return Found{}, err
			}
			names = names[:len(names)-1]
			continue
		case s.err != nil && !s.torn:
			found.Damaged, found.Why = name+damagedSuffix, s.err.Error()
			j.seq = max(s.seq, firstSeq(name))
			if err := j.folder.rename(name, found.Damaged); err != nil {
				return Found{}, err
			}
			return found, j.begin(File{Damaged: found.Damaged})
		}
		j.seq, j.hash, j.size = s.seq, s.hash, s.good
		if s.torn {
			found.Cut = int64(len(b)) - s.good
			if err := j.folder.truncate(name, s.good); err != nil {
				return Found{}, err
			}
		}
		if s.torn || packed(name) || s.file.PublicKey != j.publicKey() {
			break // the next file says what has become of this one, and by which key it is signed
		}
		j.name = name
		j.file, err = j.folder.append(name)
		return found, err
	}
	return found, j.begin(File{Cut: found.Cut})
}

// begin begins the next file. When it fails, everything is as it was.
func (j *Journal) begin(f File) error {
	was := *j
	err := j.beginFile(f)
	if err == nil {
		return nil
	}
	if j.file != was.file {
		err = errors.Join(err, j.file.Close(), j.folder.remove(j.name))
	}
	*j = was
	return err
}

func (j *Journal) beginFile(f File) error {
	f.After, f.Group, f.Region = j.hash, j.cfg.Group, j.cfg.Region
	f.PublicKey = j.publicKey()
	name := fileName(j.seq + 1)
	file, err := j.folder.append(name)
	if err != nil {
		return err
	}
	j.file, j.name, j.size = file, name, 0
	if err := j.append(KindFile, f); err != nil {
		return err
	}
	return errors.Join(j.sync(), j.folder.sync())
}

// publicKey is the one that belongs to the key that entries are signed with, in base64; empty without a key.
func (j *Journal) publicKey() string {
	if j.cfg.Key == nil {
		return ""
	}
	return base64.StdEncoding.EncodeToString(j.cfg.Key.Public().(ed25519.PublicKey))
}

// Append adds an entry: body is what its kind says. When it fails, all that was there still is, and
// nothing of the entry.
func (j *Journal) Append(kind Kind, body any) error {
	if j.size >= j.cfg.FileSize {
		if err := j.rotate(); err != nil {
			return fmt.Errorf("write the journal: %w", err)
		}
	}
	if err := j.append(kind, body); err != nil {
		return fmt.Errorf("write the journal: %w", err)
	}
	return nil
}

func (j *Journal) append(kind Kind, body any) error {
	raw, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("encode the body of a %s: %w", kind, err)
	}
	b, hash, err := encode(Entry{Seq: j.seq + 1, Time: j.cfg.Now().UTC(), Kind: kind, Body: raw}, j.hash, j.cfg.Key)
	if err != nil {
		return err
	}
	if _, err := j.file.WriteAt(b, j.size); err != nil {
		// What of it is there is torn, and written over by the next one, or cut.
		return errors.Join(err, j.file.Truncate(j.size))
	}
	j.seq, j.hash, j.size, j.dirty = j.seq+1, hash, j.size+int64(len(b)), true
	return nil
}

// Sync makes all entries outlive the machine's end. Its error may also be, when it has done that, that the older files could not be
// packed, or the oldest removed: then the folder may be larger than its limit.
func (j *Journal) Sync() error {
	if err := j.sync(); err != nil {
		return fmt.Errorf("sync the journal: %w", err)
	}
	if j.untidy != nil {
		return fmt.Errorf("pack and trim the journal: %w", j.untidy)
	}
	return nil
}

func (j *Journal) sync() error {
	if !j.dirty {
		return nil
	}
	if err := j.file.Sync(); err != nil {
		return err
	}
	j.dirty = false
	return nil
}

// rotate begins a new file, packs the one before, and removes what is too much. But for the new file, nothing that comes needs
// this: what fails of it is left to Sync to tell, and tried again with the next file.
func (j *Journal) rotate() error {
	old := j.file
	if err := j.sync(); err != nil {
		return err
	}
	// Removed before too: the disk may be full, and have no room for the next file, or for a packed one, without that.
	j.untidy = j.folder.trim(j.cfg.Size, j.name)
	if err := j.begin(File{}); err != nil {
		return err
	}
	j.untidy = errors.Join(j.untidy, old.Close(), j.folder.pack(j.name), j.folder.trim(j.cfg.Size, j.name))
	return nil
}

// Close syncs the journal and closes it.
func (j *Journal) Close() error {
	return errors.Join(j.sync(), j.file.Close(), j.folder.close())
}
