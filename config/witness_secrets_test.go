package config_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/openova-io/failoverd/config"
)

// s3Credentials is a file as AWS's tools write it.
const s3Credentials = "# a comment\n[default]\naws_access_key_id = AKIAHunter2\naws_secret_access_key=Hunter2/of+S3=\n"

// withS3 returns a valid configuration of a bucket, whose credentials are in a file of its own.
func withS3(t *testing.T, data []byte, mode os.FileMode) *config.Config {
	t.Helper()
	c, _ := secretive(t)
	s := config.DefaultS3()
	s.Endpoint, s.Bucket, s.Region = "https://s3.example.com", "witness", "auto"
	s.CredentialsFile = filepath.Join(t.TempDir(), "s3-credentials")
	write(t, s.CredentialsFile, data, mode)
	c.Witness.Type, c.Witness.CloudflareKV, c.Witness.S3 = config.WitnessS3, nil, s
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestS3Credentials(t *testing.T) {
	s, err := withS3(t, []byte(s3Credentials), 0o600).LoadSecrets()
	if err != nil {
		t.Fatal(err)
	}
	if s.Witnesses[0].S3 != (config.S3Credentials{AccessKeyID: "AKIAHunter2", SecretAccessKey: "Hunter2/of+S3="}) {
		t.Error("got other credentials than were written")
	}
	if p := fmt.Sprintf("%+v %v", s, *s); strings.Contains(p, "Hunter2") {
		t.Errorf("got %q, which holds a secret", p)
	}
}

func TestS3CredentialsRefuses(t *testing.T) {
	for _, tt := range []struct {
		name, data string
		mode       os.FileMode
		want       string
	}{
		{"readable by others", s3Credentials, 0o644, "has mode 0644"},
		{"empty", "", 0o600, "is empty"},
		{"the secret alone", "Hunter2", 0o600, "line 1 is not of the form key = value"},
		{"no secret", "aws_access_key_id = AKIAHunter2", 0o600, "does not hold both keys"},
		{"two profiles", s3Credentials + "[other]\naws_access_key_id = Hunter2", 0o600, "line 5 begins another profile"},
		{"session token", s3Credentials + "aws_session_token = Hunter2", 0o600, "line 5 is aws_session_token, expected an access key that does not expire"},
		{"another key", s3Credentials + "secret = Hunter2", 0o600, "line 5 has another key"},
		{"twice", s3Credentials + "aws_secret_access_key = Hunter2", 0o600, "line 5 repeats a key"},
		{"no value", "aws_access_key_id =", 0o600, "line 1 has no value"},
		{"a blank", "aws_access_key_id = Hunter2 Hunter2", 0o600, "line 1 has no value, or one with characters"},
		{"too large", strings.Repeat("#", 5000), 0o600, "is larger than 4096 bytes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := withS3(t, []byte(tt.data), tt.mode)
			_, err := c.LoadSecrets()
			for _, want := range []string{"witness.s3.credentials_file: " + c.Witness.S3.CredentialsFile, tt.want} {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, want %q in it", err, want)
				}
			}
			if err != nil && strings.Contains(err.Error(), "Hunter2") {
				t.Errorf("got %q, which holds the secret", err)
			}
		})
	}
}

// certificate makes a certificate and its key, in PEM.
func certificate(t *testing.T) (cert, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
}

// withEtcd returns a valid configuration of a cluster of etcd, whose secrets are in files of its own.
func withEtcd(t *testing.T) *config.Config {
	t.Helper()
	c, _ := secretive(t)
	dir := t.TempDir()
	e := &config.Etcd{
		Endpoints: []string{"https://etcd-0.example.com:2379"},
		TLS:       &config.EtcdTLS{CAFile: filepath.Join(dir, "ca.crt"), CertFile: filepath.Join(dir, "etcd.crt"), KeyFile: filepath.Join(dir, "etcd.key")},
		Username:  "failoverd", PasswordFile: filepath.Join(dir, "password"),
	}
	cert, key := certificate(t)
	write(t, e.TLS.CAFile, cert, 0o644)
	write(t, e.TLS.CertFile, cert, 0o644)
	write(t, e.TLS.KeyFile, key, 0o600)
	write(t, e.PasswordFile, []byte(token+"\n"), 0o600)
	c.Witness.Type, c.Witness.CloudflareKV, c.Witness.Etcd = config.WitnessEtcd, nil, e
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestEtcdSecrets(t *testing.T) {
	c := withEtcd(t)
	s, err := c.LoadSecrets()
	if err != nil {
		t.Fatal(err)
	}
	if s.Witnesses[0].Etcd.Password != token || s.Witnesses[0].Etcd.TLS.RootCAs == nil {
		t.Error("the password is another one, or there are no authorities")
	}
	shown := func() []byte {
		t.Helper()
		pair, err := s.Witnesses[0].Etcd.TLS.GetClientCertificate(nil)
		if err != nil {
			t.Fatal(err)
		}
		return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]})
	}
	first := shown()
	cert, key := certificate(t)
	write(t, c.Witness.Etcd.TLS.CertFile, cert, 0o644)
	write(t, c.Witness.Etcd.TLS.KeyFile, key, 0o600)
	if got := shown(); bytes.Equal(got, first) || !bytes.Equal(got, cert) {
		t.Error("the certificate is not the one that has been renewed since")
	}
}

func TestEtcdSecretsRefuses(t *testing.T) {
	_, key := certificate(t)
	for _, tt := range []struct {
		name, at, file string
		data           []byte
		mode           os.FileMode
		want           string
	}{
		{"key readable by others", "tls.key_file", "etcd.key", key, 0o644, "has mode 0644"},
		{"key of another certificate", "tls.cert_file", "etcd.key", key, 0o600, "no certificate and its key"},
		{"certificate that is none", "tls.cert_file", "etcd.crt", []byte("Hunter2"), 0o644, "no certificate and its key"},
		{"authorities that are none", "tls.ca_file", "ca.crt", []byte("Hunter2"), 0o644, "ca.crt"},
		{"password readable by others", "password_file", "password", []byte(token), 0o640, "has mode 0640"},
		{"password of two lines", "password_file", "password", []byte("Hunter2\nHunter2"), 0o600, "line break"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := withEtcd(t)
			write(t, filepath.Join(filepath.Dir(c.Witness.Etcd.PasswordFile), tt.file), tt.data, tt.mode)
			_, err := c.LoadSecrets()
			for _, want := range []string{"witness.etcd." + tt.at + ": ", tt.want} {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, want %q in it", err, want)
				}
			}
			if err != nil && strings.Contains(err.Error(), "Hunter2") {
				t.Errorf("got %q, which holds the secret", err)
			}
		})
	}
}

func TestWitnessKubeconfig(t *testing.T) {
	c, _ := secretive(t)
	name := filepath.Join(t.TempDir(), "kubeconfig")
	c.Witness.Type, c.Witness.CloudflareKV = config.WitnessKubernetes, nil
	c.Witness.Kubernetes = &config.KubernetesWitness{Kubeconfig: name, Namespace: "failoverd-witness"}
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	refuses := func(want string) {
		t.Helper()
		if _, err := c.LoadSecrets(); err == nil || !strings.Contains(err.Error(), "witness.kubernetes.kubeconfig: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q in it", err, want)
		}
	}
	refuses("does not exist")
	write(t, name, []byte("token: Hunter2"), 0o644)
	refuses("has mode 0644")
	write(t, name, []byte("token: Hunter2"), 0o600)
	if _, err := c.LoadSecrets(); err != nil {
		t.Error(err)
	}
}

// TestChangedSecrets changes each file that is read at the start, one after the other.
func TestChangedSecrets(t *testing.T) {
	c := withEtcd(t)
	ca, _ := certificate(t)
	e, hook, dir := c.Witness.Etcd, &c.Notifications.Webhooks[0], t.TempDir()
	hook.CAFile = filepath.Join(dir, "hook-ca")
	c.Notifications.Alertmanager = &config.Alertmanager{URLs: []string{"https://a:9093"}, CAFile: filepath.Join(dir, "ca"), BearerTokenFile: filepath.Join(dir, "token")}
	write(t, hook.CAFile, ca, 0o644)
	write(t, c.Notifications.Alertmanager.CAFile, ca, 0o644)
	write(t, c.Notifications.Alertmanager.BearerTokenFile, []byte(token), 0o600)
	c.Kubernetes.Kubeconfig = filepath.Join(dir, "kubeconfig")
	write(t, c.Kubernetes.Kubeconfig, []byte("token: Hunter2"), 0o600)
	kube, do, kv, s3 := config.NamedWitness{}, config.NamedWitness{}, config.NamedWitness{}, config.NamedWitness{}
	kube.Kubernetes = &config.KubernetesWitness{Kubeconfig: filepath.Join(dir, "kube"), Namespace: "w"}
	do.DurableObject = &config.DurableObject{TokenFile: filepath.Join(dir, "do")}
	kv.CloudflareKV = &config.CloudflareKV{APITokenFile: filepath.Join(dir, "kv")}
	s3.S3 = &config.S3{CredentialsFile: filepath.Join(dir, "s3")}
	write(t, kube.Kubernetes.Kubeconfig, []byte("token: Hunter2"), 0o600)
	write(t, do.DurableObject.TokenFile, []byte(token), 0o600)
	write(t, kv.CloudflareKV.APITokenFile, []byte(token), 0o600)
	write(t, s3.S3.CredentialsFile, []byte(s3Credentials), 0o600)
	etcd := config.NamedWitness{Witness: c.Witness}
	c.Witnesses = []config.NamedWitness{etcd, kube, do, kv, s3}

	s, err := c.LoadSecrets()
	if err != nil {
		t.Fatal(err)
	}
	changed := func() []string {
		t.Helper()
		keys, err := c.ChangedSecrets(s)
		if err != nil {
			t.Fatal(err)
		}
		return keys
	}
	if got := changed(); len(got) > 0 {
		t.Errorf("got %q, want none: nothing has changed", got)
	}
	for _, file := range []struct {
		key, name string
		data      []byte
	}{
		{"kubernetes.kubeconfig", c.Kubernetes.Kubeconfig, []byte("token: Hunter3")},
		{"notifications.alertmanager.bearer_token_file", c.Notifications.Alertmanager.BearerTokenFile, []byte("Hunter3")},
		{"notifications.alertmanager.ca_file", c.Notifications.Alertmanager.CAFile, append(ca, ca...)},
		{"notifications.webhooks[0].bearer_token_file", hook.BearerTokenFile, []byte("Hunter3")},
		{"notifications.webhooks[0].ca_file", hook.CAFile, append(ca, ca...)},
		{"notifications.webhooks[0].secret_file", hook.SecretFile, []byte("whsec_" + base64.StdEncoding.EncodeToString(make([]byte, 32)))},
		{"witnesses[0].etcd.password_file", e.PasswordFile, []byte("Hunter3")},
		{"witnesses[0].etcd.tls.ca_file", e.TLS.CAFile, append(ca, ca...)},
		{"witnesses[1].kubernetes.kubeconfig", kube.Kubernetes.Kubeconfig, []byte("token: Hunter3")},
		{"witnesses[2].durable_object.token_file", do.DurableObject.TokenFile, []byte("Hunter3")},
		{"witnesses[3].cloudflare_kv.api_token_file", kv.CloudflareKV.APITokenFile, []byte("Hunter3")},
		{"witnesses[4].s3.credentials_file", s3.S3.CredentialsFile, []byte(s3Credentials + "# 3")},
	} {
		was, err := os.ReadFile(file.name)
		if err != nil {
			t.Fatal(err)
		}
		write(t, file.name, file.data, 0o600)
		if got := changed(); !slices.Equal(got, []string{file.key}) {
			t.Errorf("%s: got %q, want it alone", file.key, got)
		}
		write(t, file.name, was, 0o600)
	}
	cert, key := certificate(t)
	write(t, e.TLS.CertFile, cert, 0o644)
	write(t, e.TLS.KeyFile, key, 0o600)
	if got := changed(); len(got) > 0 {
		t.Errorf("got %q, want none: etcd's certificate and key are read for each connection", got)
	}

	private, public, err := config.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	write(t, c.Identity.PrivateKeyFile, private, 0o600)
	keys, err := c.ChangedSecrets(s)
	if err == nil || !strings.Contains(err.Error(), "identity.private_key_file: ") || !strings.Contains(err.Error(), "its public key is "+public) {
		t.Errorf("got %v, want that the key is not the region's", err)
	}
	if !slices.Equal(keys, []string{"identity.private_key_file"}) {
		t.Errorf("got %q, want the key", keys)
	}
}
