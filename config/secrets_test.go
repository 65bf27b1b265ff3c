package config_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/openova-io/failoverd/config"
)

const token = "Hunter2-Hunter2-Hunter2-Hunter2-Hunter2A"

// hookSecret is Hunter2-Hunter2-Hunter2-Hunter2.
const hookSecret = "whsec_SHVudGVyMi1IdW50ZXIyLUh1bnRlcjItSHVudGVyMg=="

// secretive returns a valid configuration whose secrets are in files of its
// own, and the private key.
func secretive(t *testing.T) (*config.Config, []byte) {
	t.Helper()
	c := load(t, "full")
	private, public, err := config.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	c.Identity.PublicKeys[c.Region] = public
	c.Identity.PrivateKeyFile = filepath.Join(dir, "region.key")
	c.Witness.CloudflareKV.APITokenFile = filepath.Join(dir, "token")
	write(t, c.Identity.PrivateKeyFile, private, 0o600)
	write(t, c.Witness.CloudflareKV.APITokenFile, []byte(token+"\n"), 0o400)
	hook := &c.Notifications.Webhooks[0]
	hook.SecretFile, hook.BearerTokenFile = filepath.Join(dir, "hook-secret"), filepath.Join(dir, "hook-token")
	write(t, hook.SecretFile, []byte(hookSecret+"\n"), 0o600)
	write(t, hook.BearerTokenFile, []byte(token), 0o600)
	return c, private
}

func write(t *testing.T, name string, data []byte, mode os.FileMode) {
	t.Helper()
	if err := os.RemoveAll(name); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, data, mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(name, mode); err != nil { // past the umask
		t.Fatal(err)
	}
}

func TestLoadSecrets(t *testing.T) {
	c, _ := secretive(t)
	s, err := c.LoadSecrets()
	if err != nil {
		t.Fatal(err)
	}
	if s.Witnesses[0].Token != token {
		t.Errorf("token: got another one than was written")
	}
	if got, want := config.PublicKey(s.PrivateKey), c.Identity.PublicKeys[c.Region]; got != want {
		t.Errorf("public key: got %s, want %s", got, want)
	}
	if hook := s.Webhooks[0]; string(hook.Key) != "Hunter2-Hunter2-Hunter2-Hunter2" || hook.BearerToken != token {
		t.Error("webhook: got other secrets than were written")
	}
	message := []byte("flag")
	if !ed25519.Verify(c.PublicKeys()[c.Region], message, ed25519.Sign(s.PrivateKey, message)) {
		t.Error("a signature of the private key does not fit the public one")
	}
}

// TestSecretsDoNotPrint prints secrets in every way that a log line may.
func TestSecretsDoNotPrint(t *testing.T) {
	c, _ := secretive(t)
	s, err := c.LoadSecrets()
	if err != nil {
		t.Fatal(err)
	}
	var printed []string
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		printed = append(printed, fmt.Sprintf(verb, s), fmt.Sprintf(verb, *s), fmt.Sprintf(verb, struct{ S config.Secrets }{*s}))
	}
	j, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	k, err := json.Marshal(s.Webhooks)
	if err != nil {
		t.Fatal(err)
	}
	printed = append(printed, string(k), fmt.Sprintf("%v %+v %#v %s %x", s.Webhooks, s.Webhooks, s.Webhooks, s.Webhooks, s.Webhooks))
	for _, p := range append(printed, string(j), fmt.Sprintf("%+v", c)) {
		if strings.Contains(p, "Hunter2") || strings.Contains(p, fmt.Sprintf("%x", token)) || strings.Contains(p, fmt.Sprint([]byte(s.PrivateKey)[:4])[1:]) || strings.Contains(p, fmt.Sprint(s.Webhooks[0].Key[:4])[1:6]) {
			t.Errorf("got %q, which holds a secret", p)
		}
	}
}

// TestLoadSecretsRefuses spoils one of the files at a time.
func TestLoadSecretsRefuses(t *testing.T) {
	other, _, err := config.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(ec)
	if err != nil {
		t.Fatal(err)
	}
	block := func(name string, b []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: name, Bytes: b}) }
	const key, tok = "identity.private_key_file", "witness.cloudflare_kv.api_token_file"
	const hook, hookToken = "notifications.webhooks[0].secret_file", "notifications.webhooks[0].bearer_token_file"
	for _, tt := range []struct {
		name, path string
		data       []byte
		mode       os.FileMode
		want       string
	}{
		{"token readable by group", tok, []byte(token), 0o640, "has mode 0640, expected 0600 or 0400"},
		{"token readable by others", tok, []byte(token), 0o604, "has mode 0604"},
		{"token writable by others", tok, []byte(token), 0o602, "has mode 0602"},
		{"token empty", tok, nil, 0o600, "is empty"},
		{"token blank", tok, []byte(" \n\n"), 0o600, "is empty"},
		{"token in two lines", tok, []byte(token + "\nmore\n"), 0o600, "line break after 40 bytes"},
		{"token and two line feeds", tok, []byte(token + "\n\n"), 0o600, "line break after 40 bytes"},
		{"token with blank", tok, []byte("Bearer " + token), 0o600, "blank after 6 bytes, expected the token alone, without Bearer"},
		{"token with NUL", tok, []byte(token + "\x00"), 0o600, "a character after 40 bytes"},
		{"token with BOM", tok, []byte("\ufeff" + token), 0o600, "a character after 0 bytes"},
		{"token too large", tok, []byte(strings.Repeat("a", 5000)), 0o600, "is larger than 4096 bytes"},
		{"webhook's secret readable by others", hook, []byte(hookSecret), 0o604, "has mode 0604"},
		{"webhook's secret without its beginning", hook, []byte(hookSecret[6:]), 0o600, "of another form, expected whsec_"},
		{"webhook's secret too short", hook, []byte("whsec_SHVudGVyMg=="), 0o600, "24 to 64 random bytes"},
		{"webhook's secret is text", hook, []byte("whsec_Hunter2-Hunter2-Hunter2-Hunter2"), 0o600, "of another form"},
		{"webhook's secret empty", hook, nil, 0o600, "is empty"},
		{"webhook's token readable by others", hookToken, []byte(token), 0o644, "has mode 0644"},
		{"webhook's token with a blank", hookToken, []byte("Bearer " + token), 0o600, "without Bearer"},
		{"key readable by group", key, other, 0o640, "chmod 600"},
		{"key empty", key, nil, 0o600, "is empty"},
		{"key of another region", key, other, 0o600, "its public key is "},
		{"key no PEM", key, []byte(token), 0o600, "found no PEM block"},
		{"key twice", key, append(append([]byte(nil), other...), other...), 0o600, "behind the PEM block"},
		{"key damaged", key, block("PRIVATE KEY", []byte(token)), 0o600, "is damaged"},
		{"key encrypted", key, block("ENCRYPTED PRIVATE KEY", []byte(token)), 0o600, "without a passphrase"},
		{"key of OpenSSH", key, block("OPENSSH PRIVATE KEY", []byte(token)), 0o600, "OpenSSH"},
		{"public key", key, block("PUBLIC KEY", []byte(token)), 0o600, "found a public key"},
		{"certificate", key, block("CERTIFICATE", []byte(token)), 0o600, "of another type"},
		{"key of another algorithm", key, block("PRIVATE KEY", der), 0o600, "expected Ed25519"},
		{"key too large", key, []byte(strings.Repeat("a", 20000)), 0o600, "is larger than 16384 bytes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, _ := secretive(t)
			name := c.Identity.PrivateKeyFile
			switch tt.path {
			case tok:
				name = c.Witness.CloudflareKV.APITokenFile
			case hook:
				name = c.Notifications.Webhooks[0].SecretFile
			case hookToken:
				name = c.Notifications.Webhooks[0].BearerTokenFile
			}
			write(t, name, tt.data, tt.mode)
			s, err := c.LoadSecrets()
			if err == nil || s != nil {
				t.Fatalf("got %v and no error, want one", s)
			}
			text := err.Error()
			for _, want := range []string{"testdata/valid/full.yaml:", tt.path + ": " + name, tt.want} {
				if !strings.Contains(text, want) {
					t.Errorf("got %q, want %q in it", text, want)
				}
			}
			body := base64.StdEncoding.EncodeToString([]byte(token))
			if strings.Contains(text, "Hunter2") || strings.Contains(text, body) {
				t.Errorf("got %q, which holds the secret", text)
			}
		})
	}
}

// TestLoadSecretsNoFile names what is no regular file, and never waits for one.
func TestLoadSecretsNoFile(t *testing.T) {
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ path, want string }{
		{filepath.Join(dir, "none"), "does not exist, expected a file with the secret"},
		{dir, "is a directory, expected a regular file"},
		{fifo, "is a pipe, expected a regular file"},
		{"/dev/null", "is a device, expected a regular file"},
	} {
		c, _ := secretive(t)
		c.Identity.PrivateKeyFile, c.Witness.CloudflareKV.APITokenFile = tt.path, tt.path
		_, err := c.LoadSecrets()
		if err == nil || strings.Count(err.Error(), tt.path+" "+tt.want) != 2 {
			t.Errorf("%s: got %v, want %q for both files", tt.path, err, tt.want)
		}
	}
}

// TestLoadSecretsSwapped gives a region the key of another, and expects to read
// whose it is.
func TestLoadSecretsSwapped(t *testing.T) {
	c, _ := secretive(t)
	private, public, err := config.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	c.Identity.PublicKeys["hz-hel-rtz-prod"] = public
	write(t, c.Identity.PrivateKeyFile, private, 0o600)
	_, err = c.LoadSecrets()
	want := "its public key is " + public + ", expected " + c.Identity.PublicKeys[c.Region] +
		", which is identity.public_keys of hz-fsn-rtz-prod (it is the key of hz-hel-rtz-prod); name the right file"
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
}

// TestSecretBehindLink reads secrets as Kubernetes mounts them.
func TestSecretBehindLink(t *testing.T) {
	c, _ := secretive(t)
	link := c.Witness.CloudflareKV.APITokenFile + "-link"
	if err := os.Symlink(c.Witness.CloudflareKV.APITokenFile, link); err != nil {
		t.Fatal(err)
	}
	c.Witness.CloudflareKV.APITokenFile = link
	if _, err := c.LoadSecrets(); err != nil {
		t.Error(err)
	}
}
