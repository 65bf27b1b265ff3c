package audit

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"path/filepath"
)

// A Verdict is what is to be said of a journal.
type Verdict struct {
	Files    int      `json:"files"`
	Entries  int      `json:"entries"`
	First    uint64   `json:"first"`              // the number of the oldest entry; above 1 where older files have gone
	Last     uint64   `json:"last"`               // and of the newest
	Hash     Hash     `json:"hash"`               // of the newest: kept elsewhere, it shows later that nothing before it was touched
	Signed   bool     `json:"signed"`             // every entry is, by a key that was asked for
	Torn     int64    `json:"torn,omitempty"`     // bytes at the end that an agent has not written to their end (yet)
	Problems []string `json:"problems,omitempty"` // none: all is as it was written
}

// Verify checks the journal in a folder, whether an agent writes to it or not. Every file has to be signed by one of keys, of
// which a region has had several if its key was changed; without keys only the hashes are looked at. each, if it is not nil, is told every entry that is whole, in order, and ends it by an error.
// Verify returns an error only if the folder can't be read, or each has returned one.
func Verify(path string, keys []ed25519.PublicKey, each func(file string, e Entry) error) (Verdict, error) {
	f, err := openFolder(path)
	if err != nil {
		return Verdict{}, fmt.Errorf("read the journal: %w", err)
	}
	defer f.close()
	names, err := f.names()
	if err != nil {
		return Verdict{}, fmt.Errorf("read the journal: %w", err)
	}
	v := Verdict{Signed: len(keys) > 0}
	for i, name := range names {
		b, err := f.read(name)
		if err != nil {
			return v, fmt.Errorf("read the journal: %w", err)
		}
		var stop error
		s := scan(b, keys, func(e Entry) error {
			if each != nil {
				stop = each(name, e)
			}
			return stop
		})
		if stop != nil {
			return v, stop
		}
		v.add(filepath.Join(path, name), s, i == len(names)-1, int64(len(b)))
		v.Files++
	}
	if v.Entries == 0 {
		v.Signed = false
	}
	return v, nil
}

// add takes what a file holds in.
func (v *Verdict) add(name string, s scanned, newest bool, size int64) {
	problem := func(format string, args ...any) {
		v.Problems = append(v.Problems, name+": "+fmt.Sprintf(format, args...))
	}
	switch {
	case s.err == nil:
	case newest && s.torn:
		v.Torn = size - s.good
	default:
		problem("%v", s.err)
	}
	if s.entries == 0 {
		return
	}
	first := s.seq - uint64(s.entries) + 1
	switch {
	case s.file.Damaged != "":
		problem("the file before it was damaged, and is %s now", s.file.Damaged)
	case v.Entries == 0:
		v.First = first
		if first == 1 != (len(s.file.After) == 0) {
			problem("it begins with entry %d, and says that it comes after %q", first, s.file.After)
		}
	case first != v.Last+1 || !bytes.Equal(s.file.After, v.Hash):
		problem("it begins with entry %d and does not go on from entry %d, the last one before it: entries are missing, or were changed", first, v.Last)
	}
	v.Entries, v.Last, v.Hash = v.Entries+s.entries, s.seq, s.hash
}

// ParseKey reads a public key as configurations have it: the standard base64 of its 32 bytes.
func ParseKey(text string) (ed25519.PublicKey, error) {
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(b) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("%q is no public key: want the standard base64 of %d bytes, as failoverd keygen prints it", text, ed25519.PublicKeySize)
	}
	return b, nil
}
