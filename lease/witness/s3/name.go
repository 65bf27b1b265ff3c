package s3

import (
	"fmt"
	"strings"
)

// maxName is the length in bytes of the longest name that S3 takes.
const maxName = 1024

// objectName is the name of the object of a register. Of a key's bytes only
// letters, digits, hyphens and slashes between parts stand for themselves, and
// every other is escaped as _XX: so no two keys share a name, no part is . or
// .., and no name has to be escaped again in a URL, about which stores differ.
// The suffix keeps a name from being the folder of another one, for stores that
// keep objects as files.
func objectName(key string) (string, error) {
	if key == "" {
		return "", fmt.Errorf("key is empty")
	}
	var b strings.Builder
	for i := range len(key) {
		switch c := key[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-':
			b.WriteByte(c)
		case c == '/' && i > 0 && key[i-1] != '/' && i+1 < len(key) && key[i+1] != '/':
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "_%02X", c)
		}
	}
	b.WriteString(".json")
	if b.Len() > maxName {
		return "", fmt.Errorf("key makes an object name of %d bytes, want at most %d: shorten witness.prefix, group or region", b.Len(), maxName)
	}
	return b.String(), nil
}
