package etcd_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/openova-io/failoverd/lease/witness"
	"github.com/openova-io/failoverd/lease/witness/etcd"
)

// An authority signs certificates for 127.0.0.1.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return authority{cert, key}
}

func (a authority) issue(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "witness"}, NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{{127, 0, 0, 1}},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, a.cert, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func (a authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

func TestTLS(t *testing.T) {
	ours, strangers := newAuthority(t), newAuthority(t)
	s := serve(t, newDatabase(), grpc.Creds(credentials.NewTLS(&tls.Config{
		Certificates: []tls.Certificate{ours.issue(t)}, ClientCAs: ours.pool(), ClientAuth: tls.RequireAndVerifyClientCert,
	})))
	secure := strings.Replace(s.url, "http:", "https:", 1)
	for _, test := range []struct {
		name   string
		url    string
		client *tls.Config
		class  witness.Class // empty: any of an error that has the remedy
		remedy string
	}{
		{"right", secure, &tls.Config{RootCAs: ours.pool(), Certificates: []tls.Certificate{ours.issue(t)}}, "", ""},
		{"no client certificate", secure, &tls.Config{RootCAs: ours.pool()}, "", "witness.etcd.tls.cert_file"},
		{"a stranger's client certificate", secure, &tls.Config{RootCAs: ours.pool(), Certificates: []tls.Certificate{strangers.issue(t)}}, "", "witness.etcd.tls.cert_file"},
		{"another authority", secure, &tls.Config{RootCAs: strangers.pool()}, witness.BadAnswer, "witness.etcd.tls.ca_file"},
		{"another host", strings.Replace(secure, "127.0.0.1", "localhost", 1), &tls.Config{RootCAs: ours.pool()}, witness.BadAnswer, "for the host in witness.etcd.endpoints"},
		{"not by the client", s.url, &tls.Config{}, witness.Unreachable, "ask http"},
	} {
		err := open(t, etcd.Config{Endpoints: []string{test.url}, TLS: test.client}).Put(t.Context(), "k", nil)
		if (err == nil) != (test.remedy == "") || test.class != "" && witness.ClassOf(err) != test.class || err != nil && !strings.Contains(err.Error(), test.remedy) {
			t.Errorf("%s: Put = %v, want class %q and %q", test.name, err, test.class, test.remedy)
		}
	}
	plain := serve(t, newDatabase())
	err := open(t, etcd.Config{Endpoints: []string{strings.Replace(plain.url, "http:", "https:", 1)}}).Put(t.Context(), "k", nil)
	if witness.ClassOf(err) != witness.BadAnswer || !strings.Contains(err.Error(), "for TLS or neither") {
		t.Errorf("not by the server: Put = %v, want class %s and its remedy", err, witness.BadAnswer)
	}
}
