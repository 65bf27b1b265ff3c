package config

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// WitnessS3 is the value of witness.type for a bucket with the API of S3.
const WitnessS3 = "s3"

// S3 is a bucket of Cloudflare R2, AWS S3, SeaweedFS, MinIO or another store
// with that API.
type S3 struct {
	Endpoint        string `yaml:"endpoint" json:"endpoint"`
	Bucket          string `yaml:"bucket" json:"bucket"`
	Region          string `yaml:"region" json:"region"`
	PathStyle       bool   `yaml:"path_style" json:"path_style"` // false: the bucket is a part of the host's name
	CredentialsFile string `yaml:"credentials_file" json:"credentials_file"`
}

// DefaultS3 returns the section that a file adds to.
func DefaultS3() *S3 { return &S3{PathStyle: true} }

// S3Credentials are what the file holds that witness.s3.credentials_file names.
type S3Credentials struct{ AccessKeyID, SecretAccessKey string }

// r2WriteInterval is how far apart R2 wants the writes of one object.
const r2WriteInterval = time.Second

var s3Store = store{
	witness: WitnessS3,
	section: "s3",
	there:   func(w *Witness) bool { return w.S3 != nil },
	set: func(w *Witness) setter {
		return optional(&w.S3, func(s *S3) setter {
			*s = *DefaultS3()
			return section(
				field{"endpoint", text(&s.Endpoint)},
				field{"bucket", text(&s.Bucket)},
				field{"region", text(&s.Region)},
				field{"path_style", boolean(&s.PathStyle)},
				field{"credentials_file", text(&s.CredentialsFile)},
			)
		})
	},
	check: func(v *validator, at string, w *Witness) {
		s := w.S3
		if endpoint := join(at, "endpoint"); s.Endpoint == "" {
			v.text(endpoint, "", func(string) bool { return false })
		} else {
			v.baseURL(endpoint, s.Endpoint, "records could be kept back on the way")
		}
		bucket := join(at, "bucket")
		v.text(bucket, s.Bucket, bucketSyntax.MatchString)
		v.must(s.PathStyle || !strings.Contains(s.Bucket, "."), bucket, "found %s, expected a name without dots, or %s: true: no certificate is for such a host", quote(s.Bucket), join(at, "path_style"))
		v.text(join(at, "region"), s.Region, regionSyntax.MatchString)
		v.text(join(at, "credentials_file"), s.CredentialsFile, isAbs)
		if p := v.c.Params(); s.R2() && p.RetryInterval > 0 && p.RetryInterval < r2WriteInterval {
			v.inequality(fmt.Sprintf("lease.retry_interval >= %v does not hold: %v < %v; Cloudflare R2 takes one write a second for an object",
				r2WriteInterval, p.RetryInterval, r2WriteInterval), "lease.retry_interval")
		}
	},
	secrets: func(v *validator, at string, w *Witness, s *WitnessSecrets) {
		file := join(at, "credentials_file")
		data, ok := v.secret(file, w.S3.CredentialsFile, maxTokenFile)
		if !ok {
			return
		}
		var err error
		if s.S3, err = parseS3Credentials(data); err != nil {
			v.must(false, file, "%s: %v", w.S3.CredentialsFile, err)
		}
	},
}

var (
	bucketSyntax = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)
	regionSyntax = regexp.MustCompile(`^[A-Za-z0-9-]{1,64}$`)
)

// R2 reports whether the bucket is one of Cloudflare R2.
func (s *S3) R2() bool { return s.at("r2.cloudflarestorage.com") }

// AWS reports whether the bucket is one of AWS S3.
func (s *S3) AWS() bool { return s.at("amazonaws.com") || s.at("amazonaws.com.cn") }

func (s *S3) at(domain string) bool {
	u, err := url.Parse(s.Endpoint)
	return err == nil && strings.HasSuffix("."+strings.ToLower(u.Hostname()), "."+domain)
}

// parseS3Credentials reads a credentials file of AWS that has one profile.
func parseS3Credentials(data []byte) (c S3Credentials, err error) {
	const expected = "expected a credentials file of AWS: aws_access_key_id = ... and aws_secret_access_key = ..., each on a line"
	profiles := 0
	n := 0
	for line := range strings.Lines(string(data)) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' || line[0] == ';' {
			continue
		}
		if line[0] == '[' && line[len(line)-1] == ']' {
			if profiles++; profiles > 1 {
				return S3Credentials{}, fmt.Errorf("line %d begins another profile, expected one: it would not be clear which counts", n)
			}
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		if !ok {
			return S3Credentials{}, fmt.Errorf("line %d is not of the form key = value, %s", n, expected)
		}
		into := map[string]*string{"aws_access_key_id": &c.AccessKeyID, "aws_secret_access_key": &c.SecretAccessKey}[strings.TrimSpace(key)]
		switch value = strings.TrimSpace(value); {
		case strings.TrimSpace(key) == "aws_session_token":
			return S3Credentials{}, fmt.Errorf("line %d is aws_session_token, expected an access key that does not expire: the daemon reads the file at its start", n)
		case into == nil:
			return S3Credentials{}, fmt.Errorf("line %d has another key, %s", n, expected)
		case *into != "":
			return S3Credentials{}, fmt.Errorf("line %d repeats a key", n)
		case value == "" || strings.ContainsFunc(value, func(r rune) bool { return r <= ' ' || r > '~' }):
			return S3Credentials{}, fmt.Errorf("line %d has no value, or one with characters that no key has", n)
		}
		*into = value
	}
	if c.AccessKeyID == "" || c.SecretAccessKey == "" {
		return S3Credentials{}, errors.New("it does not hold both keys, " + expected)
	}
	return c, nil
}
