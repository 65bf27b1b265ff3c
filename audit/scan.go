package audit

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
)

var errKind = errors.New("a file begins with an entry of the kind file, and has no other one")

// scanned is what a file holds.
type scanned struct {
	file    File
	entries int    // whole ones, from the beginning on
	seq     uint64 // of the last of them
	hash    Hash   // of the last of them
	good    int64  // bytes that they take
	err     error  // why there are not more; nil if that is all
	torn    bool   // a crash may have torn that one: the file ends within it
}

// scan reads a file up to its end, or to the first entry that is not whole. All have to be signed by that one of keys which the
// file names; without keys no signature is looked at. each, if it is not nil, is told every entry, and ends the scan by an error.
func scan(b []byte, keys []ed25519.PublicKey, each ...func(Entry) error) (s scanned) {
	for rest := b; len(rest) > 0; {
		raw, behind, whole := bytes.Cut(rest, []byte("\n"))
		e, hash, err := s.next(raw, keys)
		if err == nil && !whole {
			err = errors.New("it has no end")
		}
		for _, tell := range each {
			if err == nil {
				err = tell(e)
			}
		}
		if err != nil {
			s.err = fmt.Errorf("entry %d: %w", s.seq+1, err)
			s.torn = !whole
			return s
		}
		s.entries, s.seq, s.hash = s.entries+1, e.Seq, hash
		s.good += int64(len(raw)) + 1
		rest = behind
	}
	if s.entries == 0 {
		s.err, s.torn = errors.New("it is empty"), true
	}
	return s
}

// keyOf is the one of keys that a file names as the one that it is signed with; nil without keys.
func keyOf(f File, keys []ed25519.PublicKey) (ed25519.PublicKey, error) {
	for _, key := range keys {
		if base64.StdEncoding.EncodeToString(key) == f.PublicKey {
			return key, nil
		}
	}
	if len(keys) > 0 {
		return nil, fmt.Errorf("the file says that it is signed with the key %q, which is not among those to check with; if the region had it before, give it too", f.PublicKey)
	}
	return nil, nil
}

// next checks one line behind those that were read.
func (s *scanned) next(raw []byte, keys []ed25519.PublicKey) (Entry, Hash, error) {
	before := s.hash
	if s.entries == 0 {
		f, err := fileOf(raw)
		if err != nil {
			return Entry{}, nil, err
		}
		s.file, before = f, f.After
	}
	key, err := keyOf(s.file, keys)
	if err != nil {
		return Entry{}, nil, err
	}
	e, hash, err := decode(raw, before, key)
	switch {
	case err != nil:
		return Entry{}, nil, err
	case s.entries > 0 && e.Seq != s.seq+1:
		return Entry{}, nil, fmt.Errorf("it has the number %d", e.Seq)
	case (e.Kind == KindFile) != (s.entries == 0):
		return Entry{}, nil, errKind
	}
	return e, hash, nil
}

// fileOf is what the first line of a file says of it. It is not checked yet.
func fileOf(raw []byte) (f File, err error) {
	var l line
	var e Entry
	if err = strict(raw, &l); err == nil {
		err = strict(l.Entry, &e)
	}
	switch {
	case err != nil:
	case e.Kind != KindFile:
		return File{}, errKind
	default:
		err = strict(e.Body, &f)
	}
	if err != nil {
		return File{}, fmt.Errorf("%w: %w", errForm, err)
	}
	return f, nil
}
