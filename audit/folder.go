package audit

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const (
	packedSuffix  = ".gz"
	packingSuffix = ".tmp"
	damagedSuffix = ".damaged"
)

var fileForm = regexp.MustCompile(`^journal-[0-9]{12}\.jsonl(\.gz)?$`)

// fileName is the name of the file whose first entry has a number: sorted by name, files are in order.
func fileName(seq uint64) string { return fmt.Sprintf("journal-%012d.jsonl", seq) }

// firstSeq is the number of the first entry of a file.
func firstSeq(name string) uint64 {
	digits, _, _ := strings.Cut(strings.TrimPrefix(name, "journal-"), ".")
	seq, _ := strconv.ParseUint(digits, 10, 64) // fileForm has them
	return seq
}

func packed(name string) bool { return strings.HasSuffix(name, packedSuffix) }

// folder is where the files are.
type folder struct {
	path string
	root *os.Root
}

func openFolder(path string) (folder, error) {
	root, err := os.OpenRoot(path)
	return folder{path, root}, err
}

func (f folder) close() error { return f.root.Close() }

// names are the files, oldest first. Of one that is there twice, since packing it was cut short, only the
// original counts.
func (f folder) names() ([]string, error) {
	all, err := os.ReadDir(f.path)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range all {
		switch name := e.Name(); {
		case !fileForm.MatchString(name):
		case len(names) > 0 && names[len(names)-1]+packedSuffix == name:
		default:
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// read is the content of a file, unpacked; also of one that has been packed since it was listed.
func (f folder) read(name string) ([]byte, error) {
	b, err := f.root.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) && !packed(name) {
		return f.read(name + packedSuffix)
	}
	if err != nil || !packed(name) {
		return b, err
	}
	r, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, fmt.Errorf("unpack %s: %w", filepath.Join(f.path, name), err)
	}
	if b, err = io.ReadAll(r); err != nil {
		return nil, fmt.Errorf("unpack %s: %w", filepath.Join(f.path, name), err)
	}
	return b, nil
}

func (f folder) append(name string) (*os.File, error) {
	return f.root.OpenFile(name, os.O_WRONLY|os.O_CREATE, 0o600)
}

func (f folder) truncate(name string, size int64) error {
	file, err := f.append(name)
	if err != nil {
		return err
	}
	return errors.Join(file.Truncate(size), file.Sync(), file.Close())
}

func (f folder) remove(name string) error {
	if err := f.root.Remove(name); err != nil {
		return err
	}
	return f.sync()
}

func (f folder) rename(from, to string) error {
	if err := f.root.Rename(from, to); err != nil {
		return err
	}
	return f.sync()
}

// pack packs every file but one.
func (f folder) pack(but string) error {
	names, err := f.names()
	if err != nil {
		return err
	}
	for _, name := range names {
		if name == but || packed(name) {
			continue
		}
		if err := f.packOne(name); err != nil {
			return err
		}
	}
	return nil
}

// packOne packs a file. The original goes when the other is durable.
func (f folder) packOne(name string) error {
	content, err := f.root.ReadFile(name)
	if err != nil {
		return err
	}
	tmp := name + packedSuffix + packingSuffix
	file, err := f.root.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	w := gzip.NewWriter(file)
	_, err = w.Write(content)
	if err = errors.Join(err, w.Close(), file.Sync(), file.Close()); err != nil {
		return errors.Join(err, f.root.Remove(tmp))
	}
	if err := f.rename(tmp, name+packedSuffix); err != nil {
		return err
	}
	return f.root.Remove(name)
}

// trim removes the oldest files, until no more than size bytes are there, or only the one that is kept.
func (f folder) trim(size int64, keep string) error {
	names, err := f.names()
	if err != nil {
		return err
	}
	sizes, total := map[string]int64{}, int64(0)
	for _, name := range names {
		info, err := f.root.Stat(name)
		if err != nil {
			return err
		}
		sizes[name] = info.Size()
		total += info.Size()
	}
	for _, name := range names {
		if total <= size || name == keep {
			return nil
		}
		if err := f.root.Remove(name); err != nil {
			return err
		}
		total -= sizes[name]
	}
	return nil
}

// sync makes creations, renames and removals durable.
func (f folder) sync() error {
	dir, err := f.root.Open(".")
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
