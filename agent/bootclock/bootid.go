package bootclock

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"strings"
)

// BootID is the identity of the clock that Clock reads: the kernel's boot id,
// and the offset of the time namespace where there is one, since two containers
// of one boot may see CLOCK_BOOTTIME shifted against each other. Instants of
// different BootIDs must never be compared.
func (Clock) BootID() (string, error) {
	return bootID("/proc/sys/kernel/random/boot_id", "/proc/self/timens_offsets")
}

var uuid = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

func bootID(idFile, offsetsFile string) (string, error) {
	b, err := os.ReadFile(idFile)
	if err != nil {
		return "", fmt.Errorf("read boot id: %w", err)
	}
	id := strings.TrimSpace(string(b))
	if !uuid.MatchString(id) {
		return "", fmt.Errorf("read boot id: %s: got %q, want a UUID", idFile, id)
	}
	b, err = os.ReadFile(offsetsFile)
	if errors.Is(err, fs.ErrNotExist) {
		return id, nil // a kernel without time namespaces
	}
	if err != nil {
		return "", fmt.Errorf("read offset of the time namespace: %w", err)
	}
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line) // "boottime", seconds, nanoseconds
		if len(f) == 3 && f[0] == "boottime" && (f[1] != "0" || f[2] != "0") {
			id += "+" + f[1] + "." + f[2]
		}
	}
	return id, nil
}
