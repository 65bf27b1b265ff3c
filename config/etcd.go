package config

import (
	"crypto/tls"
	"fmt"
	"net/url"
	"slices"
)

// WitnessEtcd is the value of witness.type for a cluster of etcd.
const WitnessEtcd = "etcd"

// Etcd is a cluster of etcd.
type Etcd struct {
	Endpoints    []string `yaml:"endpoints" json:"endpoints"` // of members, in the order in which they are tried
	TLS          *EtcdTLS `yaml:"tls,omitempty" json:"tls,omitempty"`
	Username     string   `yaml:"username,omitempty" json:"username,omitempty"` // empty: none is told
	PasswordFile string   `yaml:"password_file,omitempty" json:"password_file,omitempty"`
}

// EtcdTLS says whom to believe over TLS, and as whom to come.
type EtcdTLS struct {
	CAFile   string `yaml:"ca_file,omitempty" json:"ca_file,omitempty"`     // PEM; empty: the system's authorities
	CertFile string `yaml:"cert_file,omitempty" json:"cert_file,omitempty"` // PEM, as KeyFile; empty: no client certificate
	KeyFile  string `yaml:"key_file,omitempty" json:"key_file,omitempty"`
}

// EtcdSecrets are what members of etcd are shown.
type EtcdSecrets struct {
	TLS      *tls.Config
	Password string
}

var etcdStore = store{
	witness: WitnessEtcd,
	section: "etcd",
	there:   func(w *Witness) bool { return w.Etcd != nil },
	set: func(w *Witness) setter {
		return optional(&w.Etcd, func(e *Etcd) setter {
			return section(
				field{"endpoints", list(text[string], &e.Endpoints)},
				field{"tls", optional(&e.TLS, func(t *EtcdTLS) setter {
					return section(
						field{"ca_file", text(&t.CAFile)},
						field{"cert_file", text(&t.CertFile)},
						field{"key_file", text(&t.KeyFile)},
					)
				})},
				field{"username", text(&e.Username)},
				field{"password_file", text(&e.PasswordFile)},
			)
		})
	},
	check: func(v *validator, at string, w *Witness) {
		e, atTLS := w.Etcd, join(at, "tls")
		endpoints := join(at, "endpoints")
		v.must(len(e.Endpoints) > 0, endpoints, "missing, expected %s", want(endpoints))
		for i, endpoint := range e.Endpoints {
			key := fmt.Sprintf("%s[%d]", endpoints, i)
			u, err := url.Parse(endpoint)
			v.baseURL(key, endpoint, "records could be kept back on the way")
			v.text(key, endpoint, func(string) bool { return err == nil && u.Port() != "" && u.Path == "" })
			v.must(!slices.Contains(e.Endpoints[:i], endpoint), key, "found a member that is in the list before, expected each once")
			v.must(err != nil || e.TLS == nil || u.Scheme != "http", key, "found %s, expected https: %s has no effect without", quote(endpoint), atTLS)
		}
		if t := e.TLS; t != nil {
			if t.CAFile != "" {
				v.text(join(atTLS, "ca_file"), t.CAFile, isAbs)
			}
			v.pair(join(atTLS, "cert_file"), t.CertFile, isAbs, join(atTLS, "key_file"), t.KeyFile)
		}
		v.pair(join(at, "username"), e.Username, isPlain, join(at, "password_file"), e.PasswordFile)
	},
	secrets: func(v *validator, at string, w *Witness, s *WitnessSecrets) {
		e, atTLS := w.Etcd, join(at, "tls")
		s.Etcd.Password = v.token(join(at, "password_file"), e.PasswordFile)
		s.Etcd.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
		if e.TLS == nil {
			return
		}
		s.Etcd.TLS.RootCAs = v.authorities(join(atTLS, "ca_file"), e.TLS.CAFile)
		if e.TLS.KeyFile == "" {
			return
		}
		if _, err := readSecret(e.TLS.KeyFile, maxKeyFile); err != nil {
			v.must(false, join(atTLS, "key_file"), "%v", err)
			return
		}
		// Read anew for each connection: certificates of clusters are renewed every few weeks.
		load := func() (*tls.Certificate, error) {
			pair, err := tls.LoadX509KeyPair(e.TLS.CertFile, e.TLS.KeyFile)
			return &pair, err
		}
		if _, err := load(); err != nil {
			v.must(false, join(atTLS, "cert_file"), "%s and %s are no certificate and its key: %v", e.TLS.CertFile, e.TLS.KeyFile, err)
		}
		s.Etcd.TLS.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return load() }
	},
}

// pair checks a value and a file, of which neither is of use without the other.
func (v *validator) pair(key, value string, ok func(string) bool, fileKey, file string) {
	switch {
	case value == "" && file == "":
	case value == "":
		v.must(false, key, "missing, expected %s, since %s is there", want(key), fileKey)
	case file == "":
		v.must(false, fileKey, "missing, expected %s, since %s is there", want(fileKey), key)
	default:
		v.text(key, value, ok)
		v.text(fileKey, file, isAbs)
	}
}
