// Package s3test is a bucket with the API of S3 for tests, that keeps objects
// in memory and can break everything that a store promises.
//
// It verifies signatures, over what arrives, and the time in them; ETags are
// the MD5 of the body, and conditional writes are atomic, until a fault says
// otherwise.
package s3test

import (
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// What a client has to have.
const (
	Bucket          = "witness"
	Region          = "auto"
	AccessKeyID     = "AKIDEXAMPLE0123456789"
	SecretAccessKey = "secret/of+the+fake+0123456789abcdefghij"
)

// maxSkew is how far the time of a request may be off.
const maxSkew = 15 * time.Minute

// Faults are what the store does wrong.
type Faults struct {
	IgnoreIfMatch     bool
	IgnoreIfNoneMatch bool
	RaceyConditions   bool // conditions are judged before, and not with, the write
	StaleReads        int  // so many reads of an object after a write bring what was there before
	CachedMisses      bool // an object that was missed stays missing

	// Intercept answers a request in the store's place, if it returns true.
	Intercept func(w http.ResponseWriter, r *http.Request, body []byte) bool
}

// A Server is a bucket.
type Server struct {
	*httptest.Server

	mu      sync.Mutex
	faults  Faults
	objects map[string]*object
	missed  map[string]bool
	puts    map[string]int // requests, by object
}

type object struct {
	body, before []byte
	stale        int // reads that still bring before
}

// New starts a server; it is for the caller to close it.
func New(f Faults) *Server {
	s := &Server{faults: f, objects: map[string]*object{}, missed: map[string]bool{}, puts: map[string]int{}}
	s.Server = httptest.NewServer(s)
	return s
}

// Puts is how many requests to write any object have arrived.
func (s *Server) Puts() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, count := range s.puts {
		n += count
	}
	return n
}

// Objects are the names of those that are there.
func (s *Server) Objects() (names []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name := range s.objects {
		names = append(names, name)
	}
	return names
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	name, ok := strings.CutPrefix(r.URL.Path, "/"+Bucket+"/")
	if strings.HasPrefix(r.Host, Bucket+".") {
		name, ok = strings.TrimPrefix(r.URL.Path, "/"), true
	}
	if r.Method == http.MethodPut {
		s.mu.Lock()
		s.puts[name]++
		s.mu.Unlock()
	}
	if s.faults.Intercept != nil && s.faults.Intercept(w, r, body) {
		return
	}
	if code, message := verify(r, body); code != "" {
		Fail(w, http.StatusForbidden, code, message)
		return
	}
	if !ok {
		Fail(w, http.StatusNotFound, "NoSuchBucket", "The specified bucket does not exist")
		return
	}
	switch r.Method {
	case http.MethodGet:
		s.get(w, name)
	case http.MethodPut:
		s.put(w, r, name, body)
	case http.MethodDelete:
		s.mu.Lock()
		delete(s.objects, name)
		s.mu.Unlock()
		w.WriteHeader(http.StatusNoContent)
	default:
		Fail(w, http.StatusMethodNotAllowed, "MethodNotAllowed", "The specified method is not allowed")
	}
}

func (s *Server) get(w http.ResponseWriter, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.objects[name]
	if o == nil || s.missed[name] && s.faults.CachedMisses || o.stale > 0 && o.before == nil {
		if s.missed[name] = true; o != nil && o.stale > 0 {
			o.stale--
		}
		Fail(w, http.StatusNotFound, "NoSuchKey", "The specified key does not exist.")
		return
	}
	body := o.body
	if o.stale > 0 {
		o.stale--
		body = o.before
	}
	w.Header().Set("ETag", etag(body))
	w.Write(body)
}

func (s *Server) put(w http.ResponseWriter, r *http.Request, name string, body []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	held := s.holds(r, name)
	if s.faults.RaceyConditions {
		s.mu.Unlock()
		<-time.After(20 * time.Millisecond) // as a store that asks another machine
		s.mu.Lock()
	}
	if !held {
		Fail(w, http.StatusPreconditionFailed, "PreconditionFailed", "At least one of the preconditions you specified did not hold.")
		return
	}
	o := s.objects[name]
	if o == nil {
		o = &object{}
		s.objects[name] = o
	}
	o.before, o.body, o.stale = o.body, body, s.faults.StaleReads
	w.Header().Set("ETag", etag(body))
}

// holds reports whether the conditions of a write do.
func (s *Server) holds(r *http.Request, name string) bool {
	o := s.objects[name]
	if r.Header.Get("If-None-Match") == "*" && o != nil && !s.faults.IgnoreIfNoneMatch {
		return false
	}
	want := r.Header.Get("If-Match")
	return want == "" || s.faults.IgnoreIfMatch || o != nil && etag(o.body) == want
}

func etag(body []byte) string { return fmt.Sprintf(`"%x"`, md5.Sum(body)) }

// Fail answers with an error of S3.
func Fail(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	io.WriteString(w, xml.Header)
	xml.NewEncoder(w).Encode(struct {
		XMLName xml.Name `xml:"Error"`
		Code    string
		Message string
	}{Code: code, Message: message})
}

// verify says what is wrong with the signature of a request, if something is:
// it signs what has arrived with the same headers, and compares.
func verify(r *http.Request, body []byte) (code, message string) {
	auth := r.Header.Get("Authorization")
	if !strings.Contains(auth, "Credential="+AccessKeyID+"/") {
		return "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records."
	}
	if !strings.Contains(auth, "/"+Region+"/s3/") {
		return "AuthorizationHeaderMalformed", "The authorization header is malformed; the region is wrong"
	}
	at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	if err != nil || time.Since(at).Abs() > maxSkew {
		return "RequestTimeTooSkewed", "The difference between the request time and the current time is too large."
	}
	sum := sha256.Sum256(body)
	payload := hex.EncodeToString(sum[:])
	if r.Header.Get("X-Amz-Content-Sha256") != payload {
		return "XAmzContentSHA256Mismatch", "The provided 'x-amz-content-sha256' header does not match what was computed."
	}
	_, signed, _ := strings.Cut(auth, "SignedHeaders=")
	signed, _, _ = strings.Cut(signed, ",")
	again, err := http.NewRequest(r.Method, "http://"+r.Host+r.URL.RequestURI(), nil)
	if err != nil {
		return "InvalidURI", err.Error()
	}
	again.ContentLength = int64(len(body))
	for name := range strings.SplitSeq(signed, ";") {
		if values := r.Header.Values(name); len(values) > 0 {
			again.Header[http.CanonicalHeaderKey(name)] = values
		}
	}
	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	credentials := aws.Credentials{AccessKeyID: AccessKeyID, SecretAccessKey: SecretAccessKey}
	if err := signer.SignHTTP(context.Background(), credentials, again, payload, "s3", Region, at); err != nil || again.Header.Get("Authorization") != auth {
		return "SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided."
	}
	return "", ""
}
