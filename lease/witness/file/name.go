package file

import (
	"errors"
	"fmt"
	"strings"
)

// maxName is the longest name of a file on all common file systems.
const maxName = 255

// fileName is the name of the file of a register. Every byte but a few is
// escaped as %XX, so that no two keys share a name, on a file system that
// ignores case too, and none leaves the directory or hides in it.
func fileName(key string) (string, error) {
	if key == "" {
		return "", errors.New("key is empty")
	}
	var b strings.Builder
	for i := range len(key) {
		switch c := key[i]; {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-', c == '_', c == '.' && i > 0:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	if b.Len() > maxName {
		return "", fmt.Errorf("key makes a file name of %d bytes, want at most %d: shorten witness.prefix, group or region", b.Len(), maxName)
	}
	return b.String(), nil
}
