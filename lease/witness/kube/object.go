package kube

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

const (
	keyAnnotation = "failover.openova.io/witness-key" // the register's key, whole
	valueKey      = "record"                          // of the object's binaryData
)

// An object is a ConfigMap, as far as the store has to do with it.
type object struct {
	APIVersion string            `json:"apiVersion"`
	Kind       string            `json:"kind"`
	Metadata   metadata          `json:"metadata"`
	BinaryData map[string][]byte `json:"binaryData"`
}

type metadata struct {
	Name            string            `json:"name"`
	Namespace       string            `json:"namespace"`
	ResourceVersion string            `json:"resourceVersion,omitempty"`
	Annotations     map[string]string `json:"annotations"`
}

func newObject(namespace, key string, value []byte) object {
	return object{
		APIVersion: "v1", Kind: "ConfigMap",
		Metadata:   metadata{Name: name(key), Namespace: namespace, Annotations: map[string]string{keyAnnotation: key}},
		BinaryData: map[string][]byte{valueKey: value},
	}
}

// maxReadable is how much of a key is in the name of its object. A name has at most 253 bytes.
const maxReadable = 120

// name is the name of the object of a register: the end of its key, as far as
// names can have it, for people, and a hash, by which no two keys share one.
// What is read is checked for its key all the same.
func name(key string) string {
	var b strings.Builder
	for i := range len(key) {
		switch c := key[i]; {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9':
			b.WriteByte(c)
		default:
			b.WriteByte('-')
		}
	}
	readable := strings.Trim(b.String()[max(0, b.Len()-maxReadable):], "-")
	sum := sha256.Sum256([]byte(key))
	return strings.TrimPrefix(readable+"-"+hex.EncodeToString(sum[:16]), "-")
}
