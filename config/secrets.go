package config

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"
)

// Secrets are what the configuration names by file only. They print as
// "secrets(hidden)", whatever the verb.
type Secrets struct {
	PrivateKey ed25519.PrivateKey // this region's key
	Witnesses  []WitnessSecrets   // one, or one for each of the several

	AlertmanagerToken string           // empty: none is sent
	Webhooks          []WebhookSecrets // by their number in notifications.webhooks

	files hashes
}

// hashes are those of files that are read once, by the keys that name them: they tell whether one has changed since.
type hashes map[string][sha256.Size]byte

// note remembers what the file of a key holds, but for the blanks and line breaks around it, which change nothing.
func (h hashes) note(key string, data []byte) { h[key] = sha256.Sum256(bytes.TrimSpace(data)) }

// WitnessSecrets are those of a witness, as far as its store has them.
type WitnessSecrets struct {
	Token string        // what requests carry
	S3    S3Credentials // what requests are signed with
	Etcd  EtcdSecrets
}

const hidden = "secrets(hidden)"

// Format keeps the secrets out of everything that package fmt prints.
func (Secrets) Format(f fmt.State, _ rune) { io.WriteString(f, hidden) }

// MarshalText keeps the secrets out of JSON and YAML.
func (Secrets) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// Sizes above which a file is no such secret. A token of Cloudflare has 40
// characters, a PKCS#8 PEM file of an Ed25519 key about 120.
const (
	maxTokenFile = 4 << 10
	maxKeyFile   = 16 << 10
	maxConfig    = 1 << 20 // of a kubeconfig, in which certificates may be
)

// LoadSecrets reads the secrets that the configuration names. It refuses, as
// Problems that never hold any of a secret's content, a file that others can
// read or write (see tooOpen), one that is no regular file, and a private key that does not
// belong to this region's public key.
func (c *Config) LoadSecrets() (*Secrets, error) {
	s, err := c.readSecrets()
	if err != nil {
		return nil, err
	}
	return s, nil
}

// ChangedSecrets reads the secrets anew, and names the keys whose files hold something else than when s was loaded. Its error is that
// of LoadSecrets: about what a start would refuse.
func (c *Config) ChangedSecrets(s *Secrets) (keys []string, err error) {
	now, err := c.readSecrets()
	for key, hash := range now.files {
		if before, ok := s.files[key]; ok && before != hash {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys, err
}

// readSecrets reads those that can be used, and says what is wrong with the others.
func (c *Config) readSecrets() (*Secrets, error) {
	s := &Secrets{files: hashes{}}
	v := &validator{document: c.document(), c: c, files: s.files}
	const keyPath = "identity.private_key_file"
	if data, ok := v.secret(keyPath, c.Identity.PrivateKeyFile, maxKeyFile); ok {
		var err error
		if s.PrivateKey, err = ParsePrivateKey(data); err == nil {
			err = c.belongs(s.PrivateKey)
		}
		v.must(err == nil, keyPath, "%s: %v", c.Identity.PrivateKeyFile, err)
	}
	v.kubeconfig("kubernetes.kubeconfig", c.Kubernetes.Kubeconfig)
	c.eachWitness(func(at string, w *Witness) { s.Witnesses = append(s.Witnesses, v.loadWitness(at, w)) })
	v.loadNotifications(s)
	return s, v.problems.err()
}

// secret reads the file that is named at a path, and says what is wrong with it.
func (v *validator) secret(at, name string, limit int) (data []byte, ok bool) {
	data, err := readSecret(name, limit)
	v.must(err == nil, at, "%v", err)
	if err == nil {
		v.files.note(at, data)
	}
	return data, err == nil
}

// token reads the file of a token that is named at a path; none if no file is.
func (v *validator) token(at, name string) string {
	if name == "" {
		return ""
	}
	data, ok := v.secret(at, name, maxTokenFile)
	if !ok {
		return ""
	}
	token, err := parseToken(data)
	if err != nil {
		v.must(false, at, "%s: %v", name, err)
	}
	return token
}

// tooOpen reports whether anybody but a user can read or change a secret's file. One of root's
// may be read by its group: so Kubernetes (fsGroup) and systemd (LoadCredential) give
// secrets to a daemon that is not root, to a group that is its own.
func tooOpen(info fs.FileInfo, user int) bool {
	others := fs.FileMode(0o077)
	if stat, ok := info.Sys().(*syscall.Stat_t); ok && stat.Uid == 0 && user != 0 {
		others = 0o037
	}
	return info.Mode().Perm()&others != 0
}

// readSecret reads a file that only its owner may read.
func readSecret(name string, limit int) ([]byte, error) {
	// Without O_NONBLOCK a FIFO would hang the start. Symbolic links are
	// followed: Kubernetes mounts a secret behind one.
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, fmt.Errorf("%s does not exist, expected a file with the secret; make it or correct the path", name)
	case errors.Is(err, os.ErrPermission):
		return nil, fmt.Errorf("%s can't be opened by user %d: permission denied; run chown on it for the daemon's user", name, os.Geteuid())
	case err != nil:
		return nil, fmt.Errorf("read the secret: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("read the secret: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is %s, expected a regular file with the secret", name, kindOf(info.Mode()))
	}
	if mode := info.Mode().Perm(); tooOpen(info, os.Geteuid()) {
		return nil, fmt.Errorf("%s has mode %04o, expected 0600 or 0400, or 0640 or 0440 of root's if the daemon is not root: group or others can read or change the secret; run chmod 600 %s, and replace the secret if they may have read it", name, mode, name)
	}
	data, err := io.ReadAll(io.LimitReader(f, int64(limit)+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the secret: %w", err)
	case len(strings.TrimSpace(string(data))) == 0:
		return nil, fmt.Errorf("%s is empty, expected the secret", name)
	case len(data) > limit:
		return nil, fmt.Errorf("%s is larger than %d bytes, expected the secret and nothing else", name, limit)
	}
	return data, nil
}

// kindOf names a kind of file that is not a regular one.
func kindOf(mode os.FileMode) string {
	switch {
	case mode.IsDir():
		return "a directory"
	case mode&os.ModeNamedPipe != 0:
		return "a pipe"
	case mode&os.ModeDevice != 0:
		return "a device"
	}
	return "a special file"
}

// parseToken takes the line break off that an editor leaves behind a token,
// and refuses whatever could not stand in an HTTP header.
func parseToken(data []byte) (string, error) {
	token := strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
	for i, r := range token {
		switch {
		case r == '\n' || r == '\r':
			return "", fmt.Errorf("the token has a line break after %d bytes, expected the token alone on one line", i)
		case r == ' ' || r == '\t':
			return "", fmt.Errorf("the token has a blank after %d bytes, expected the token alone, without Bearer or a name in front of it", i)
		case r < '!' || r > '~':
			return "", fmt.Errorf("the token has a character after %d bytes that no token has, expected letters, digits and punctuation of ASCII", i)
		}
	}
	return token, nil
}

// belongs checks that the private key is the one of this region's public key.
func (c *Config) belongs(key ed25519.PrivateKey) error {
	has := PublicKey(key)
	if want := c.Identity.PublicKeys[c.Region]; want != has {
		return fmt.Errorf("its public key is %s, expected %s, which is identity.public_keys of %s%s; name the right file, or correct the public key in every region",
			has, want, c.Region, c.ownerOf(has))
	}
	return nil
}

// ownerOf says whose public key another one is, if it is a member's.
func (c *Config) ownerOf(public string) string {
	for region, key := range c.Identity.PublicKeys {
		if key == public {
			return fmt.Sprintf(" (it is the key of %s)", region)
		}
	}
	return ""
}
