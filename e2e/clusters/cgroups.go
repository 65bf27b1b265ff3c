package clusters

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// cgroupRoot is the name of the cgroup of a region's pods.
func cgroupRoot(dir, region string) string { return filepath.Base(dir) + "-" + region }

// makeCgroups makes the cgroup of each region in every hierarchy: the kubelet wants its root to be there. It returns those
// that it has made, also with an error.
func makeCgroups(dir string) (roots []string, err error) {
	hierarchies, err := hierarchies()
	if err != nil {
		return nil, err
	}
	for _, hierarchy := range hierarchies {
		for _, name := range regionNames {
			root := filepath.Join(hierarchy, cgroupRoot(dir, name))
			if err := os.Mkdir(root, 0o755); err != nil {
				return roots, err
			}
			roots = append(roots, root)
			// In version 1 no process can be in a cgroup whose set of processors and memory is empty, and a new one's is.
			for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
				set, err := os.ReadFile(filepath.Join(root, file))
				if errors.Is(err, fs.ErrNotExist) || err == nil && len(bytes.TrimSpace(set)) > 0 {
					continue
				}
				if set, err = os.ReadFile(filepath.Join(hierarchy, file)); err != nil {
					break // version 2, where an empty set is the parent's
				}
				if err := os.WriteFile(filepath.Join(root, file), set, 0o644); err != nil {
					return roots, err
				}
			}
		}
	}
	return roots, nil
}

// hierarchies are where cgroups are mounted: those of version 1, that of version 2, or both.
func hierarchies() ([]string, error) {
	data, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	var mounted []string
	lines := bufio.NewScanner(bytes.NewReader(data))
	for lines.Scan() {
		before, after, _ := strings.Cut(lines.Text(), " - ")
		kind, _, _ := strings.Cut(after, " ")
		if fields := strings.Fields(before); len(fields) > 4 && (kind == "cgroup" || kind == "cgroup2") {
			mounted = append(mounted, fields[4])
		}
	}
	if len(mounted) == 0 {
		return nil, errors.New("no cgroups are mounted, and a kubelet needs them: mount cgroup2 on /sys/fs/cgroup")
	}
	return mounted, nil
}

// removeCgroups removes cgroups with all below them. Nothing may run in them, but for what the kernel has not done away with
// yet.
func removeCgroups(roots []string) error {
	deadline := time.Now().Add(10 * time.Second)
	for {
		var errs []error
		for _, root := range roots {
			var all []string
			err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
				if err == nil && d.IsDir() {
					all = append(all, path)
				}
				return err
			})
			for i := len(all) - 1; i >= 0 && err == nil; i-- {
				err = os.Remove(all[i])
			}
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				errs = append(errs, fmt.Errorf("remove a cgroup: %w", err))
			}
		}
		err := errors.Join(errs...)
		if err == nil || time.Now().After(deadline) {
			return err
		}
		<-time.After(50 * time.Millisecond)
	}
}
