package config

import (
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"slices"
	"strings"
)

// Notifications say who is told of what happens.
type Notifications struct {
	Alertmanager *Alertmanager `yaml:"alertmanager,omitempty" json:"alertmanager,omitempty"` // nil: none is told
	Webhooks     []Webhook     `yaml:"webhooks" json:"webhooks"`
}

// Alertmanager is a cluster of them.
type Alertmanager struct {
	URLs            []string `yaml:"urls" json:"urls"`                                               // of all, since each has to be told
	CAFile          string   `yaml:"ca_file,omitempty" json:"ca_file,omitempty"`                     // PEM; empty: the system's authorities
	BearerTokenFile string   `yaml:"bearer_token_file,omitempty" json:"bearer_token_file,omitempty"` // empty: no token is sent
}

// A Webhook is told by POST, signed.
type Webhook struct {
	Name            string `yaml:"name" json:"name"`
	URL             string `yaml:"url" json:"url"`
	SecretFile      string `yaml:"secret_file" json:"secret_file"` // as Standard Webhooks writes one
	CAFile          string `yaml:"ca_file,omitempty" json:"ca_file,omitempty"`
	BearerTokenFile string `yaml:"bearer_token_file,omitempty" json:"bearer_token_file,omitempty"`
}

// notifications checks the section, if there is one.
func (v *validator) notifications() {
	n := v.c.Notifications
	if n == nil {
		return
	}
	v.must(n.Alertmanager != nil || len(n.Webhooks) > 0, "notifications", "nobody is told by it, expected %s", want("notifications"))
	if a := n.Alertmanager; a != nil {
		const at = "notifications.alertmanager"
		v.must(len(a.URLs) > 0, at+".urls", "missing, expected %s", want(at+".urls"))
		for i, u := range a.URLs {
			key := fmt.Sprintf("%s.urls[%d]", at, i)
			v.receiver(key, u, at, a.CAFile, a.BearerTokenFile)
			v.must(!slices.Contains(a.URLs[:i], u), key, "found an Alertmanager that is in the list before, expected each once")
		}
	}
	for i, w := range n.Webhooks {
		at := fmt.Sprintf("notifications.webhooks[%d]", i)
		v.text(at+".name", w.Name, isLabel)
		if j := slices.IndexFunc(n.Webhooks[:i], func(o Webhook) bool { return o.Name == w.Name }); j >= 0 && w.Name != "" {
			v.must(false, at+".name", "found %s, which is the name of webhook %d too, expected a name of its own", quote(w.Name), j+1)
		}
		v.receiver(at+".url", w.URL, at, w.CAFile, w.BearerTokenFile)
		v.text(at+".secret_file", w.SecretFile, isAbs)
	}
}

// receiver checks the URL of a receiver at key, and what its section says of the way there.
func (v *validator) receiver(key, value, section, caFile, tokenFile string) {
	if caFile != "" {
		v.text(section+".ca_file", caFile, isAbs)
	}
	if tokenFile != "" {
		v.text(section+".bearer_token_file", tokenFile, isAbs)
	}
	u, err := url.Parse(value)
	if strings.ContainsAny(value, "@?#") { // a password or a token may be in there
		v.must(false, key, "found a URL with a user, a query or a fragment, expected %s", want(key))
		for _, p := range v.problems {
			if p.Key == key {
				p.Excerpt = v.excerpt(v.at(key), true)
			}
		}
		return
	}
	ok := err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Hostname() != ""
	v.text(key, value, func(string) bool { return ok })
	if !ok || u.Scheme == "https" {
		return
	}
	v.must(tokenFile == "" || isLoopback(u.Hostname()), key, "found %s, expected https: the token of %s would cross the network in clear", quote(value), section+".bearer_token_file")
	v.must(caFile == "", key, "found %s, expected https: %s has no effect without", quote(value), section+".ca_file")
}

// WebhookSecrets are those of one webhook. They print as Secrets do.
type WebhookSecrets struct {
	Key         []byte // that messages are signed with
	BearerToken string // empty: none
}

// Format keeps them out of everything that package fmt prints, and MarshalText out of JSON and YAML.
func (WebhookSecrets) Format(f fmt.State, _ rune)   { io.WriteString(f, hidden) }
func (WebhookSecrets) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// loadNotifications reads the secrets of the section.
func (v *validator) loadNotifications(s *Secrets) {
	n := v.c.Notifications
	if n == nil {
		return
	}
	if a := n.Alertmanager; a != nil {
		v.authorities("notifications.alertmanager.ca_file", a.CAFile)
		s.AlertmanagerToken = v.token("notifications.alertmanager.bearer_token_file", a.BearerTokenFile)
	}
	s.Webhooks = make([]WebhookSecrets, len(n.Webhooks))
	for i, w := range n.Webhooks {
		at := fmt.Sprintf("notifications.webhooks[%d]", i)
		v.authorities(at+".ca_file", w.CAFile)
		s.Webhooks[i].BearerToken = v.token(at+".bearer_token_file", w.BearerTokenFile)
		if data, ok := v.secret(at+".secret_file", w.SecretFile, maxTokenFile); ok {
			var err error
			s.Webhooks[i].Key, err = parseWebhookSecret(strings.TrimSpace(string(data)))
			v.must(err == nil, at+".secret_file", "%s: the secret is of another form, %v", w.SecretFile, err)
		}
	}
}

// parseWebhookSecret returns the key of a secret as Standard Webhooks writes it.
func parseWebhookSecret(text string) ([]byte, error) {
	encoded, ok := strings.CutPrefix(text, "whsec_")
	key, err := base64.StdEncoding.DecodeString(encoded)
	if !ok || err != nil || len(key) < 24 || len(key) > 64 {
		return nil, errors.New("expected whsec_ and the base64 of 24 to 64 random bytes; make one with: echo whsec_$(openssl rand -base64 32)")
	}
	return key, nil
}

// checkAuthorities reads the files that certificates are checked against.
func (v *validator) checkAuthorities() {
	n := v.c.Notifications
	if n == nil {
		return
	}
	if a := n.Alertmanager; a != nil {
		_, err := Authorities(a.CAFile)
		v.must(err == nil, "notifications.alertmanager.ca_file", "%v", err)
	}
	for i, w := range n.Webhooks {
		_, err := Authorities(w.CAFile)
		v.must(err == nil, fmt.Sprintf("notifications.webhooks[%d].ca_file", i), "%v", err)
	}
}

// Authorities are the certificates of a file of PEM; nil, the system's, without a file.
func Authorities(name string) (*x509.CertPool, error) {
	pool, _, err := readAuthorities(name)
	return pool, err
}

// authorities reads those of the file that is named at a path, and says what is wrong with it.
func (v *validator) authorities(at, name string) *x509.CertPool {
	pool, data, err := readAuthorities(name)
	v.must(err == nil, at, "%v", err)
	if pool != nil {
		v.files.note(at, data)
	}
	return pool
}

func readAuthorities(name string) (pool *x509.CertPool, data []byte, err error) {
	if name == "" {
		return nil, nil, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, nil, fmt.Errorf("read the authorities: %w", err)
	}
	defer f.Close()
	const most = 1 << 20
	data, err = io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && len(data) > most {
		err = errors.New("it is larger than 1 MiB")
	}
	if err != nil {
		return nil, nil, fmt.Errorf("read the authorities: %w", err)
	}
	pool = x509.NewCertPool()
	if !pool.AppendCertsFromPEM(data) {
		return nil, nil, fmt.Errorf("%s holds no certificate, expected one or more in PEM", name)
	}
	return pool, data, nil
}
