package s3

import (
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/openova-io/failoverd/lease/witness"
	"github.com/openova-io/failoverd/lease/witness/overhttp"
)

// An answer is what came back to one request.
type answer struct {
	overhttp.Answer
	sent time.Time // when the request was signed, by this host's wall clock
}

// A fault is the document in which S3 says what is wrong.
type fault struct {
	XMLName xml.Name `xml:"Error"`
	Code    string
	Message string
}

// fault is the code and the message of the answer, empty if it has none.
func (a answer) fault() (f fault) {
	if xml.Unmarshal(a.Body, &f) != nil {
		return fault{}
	}
	return f
}

// succeeded reports whether the answer is a success of S3: an answer of
// something else has no ETag, or is a page.
func (a answer) succeeded() bool {
	return a.Status == http.StatusOK && a.etag() != "" && !a.IsPage()
}

func (a answer) etag() string { return a.Header.Get("ETag") }

const (
	remedyCredentials = "check witness.s3.credentials_file: the store does not know this access key, or it has another secret"
	remedyAccess      = "let the access key in witness.s3.credentials_file read and write the objects of witness.s3.bucket below witness.prefix: " +
		"Object Read & Write on R2; s3:GetObject, s3:PutObject, s3:DeleteObject (for check --live) and s3:ListBucket on AWS, " +
		"which without the last answers like this where a record is not there yet"
	remedyClock    = "set the wall clock of this host by NTP: requests are signed with the time"
	remedyRegion   = "check witness.s3.region and witness.s3.endpoint: the bucket is elsewhere"
	remedyBucket   = "check witness.s3.bucket, and witness.s3.path_style: the store has no such bucket"
	remedyAddress  = "check witness.s3.endpoint, and that no proxy or sign-in page answers in the store's place"
	remedyRate     = "have fewer requests made for this bucket, or raise lease.poll_interval and lease.renew_interval"
	remedyCapacity = "make room in the store, or raise its quota"
)

// judge says what is wrong with the answer to op: an *Error, ErrNotFound if
// there is no such object, nil if nothing is wrong.
func (s *Store) judge(a answer, op, key string) error {
	f := a.fault()
	is := func(codes ...string) bool { return slices.Contains(codes, f.Code) }
	e := &witness.Error{Op: op, Key: key, RetryAfter: a.RetryAfter(), Err: a.describe(f, s.credentials.SecretAccessKey)}
	switch {
	case a.succeeded():
		return nil
	case a.Status == http.StatusNotFound && op == "get" && is("NoSuchKey"):
		return witness.ErrNotFound

	case a.Status == http.StatusTooManyRequests || strings.HasPrefix(f.Code, "SlowDown") || is("TooManyRequests", "RequestLimitExceeded", "Throttling", "ThrottlingException"):
		e.Class, e.Remedy = witness.RateLimited, remedyRate
	case a.Status == http.StatusInsufficientStorage || is("QuotaExceeded", "XMinioStorageFull", "XMinioAdminBucketQuotaExceeded"):
		e.Class, e.Remedy = witness.Quota, remedyCapacity
	case a.Status >= 500 && a.Status != http.StatusNotImplemented, a.Status == http.StatusRequestTimeout, is("RequestTimeout", "OperationAborted", "ConditionalRequestConflict"):
		e.Class = witness.Unreachable

	case is("RequestTimeTooSkewed"):
		e.Class, e.Remedy = witness.Refused, remedyClock+a.skew()
	case is("NoSuchBucket", "InvalidBucketName"):
		e.Class, e.Remedy = witness.Refused, remedyBucket
	case is("AuthorizationHeaderMalformed", "PermanentRedirect", "TemporaryRedirect", "IllegalLocationConstraintException", "InvalidRegionName"):
		e.Class, e.Remedy = witness.Refused, remedyRegion
		if region := a.Header.Get("X-Amz-Bucket-Region"); region != "" {
			e.Remedy += fmt.Sprintf(", in %q", overhttp.Clip(region, s.credentials.SecretAccessKey, 60))
		}
	case is("InvalidAccessKeyId", "XAdminUserNotFound", "SignatureDoesNotMatch", "Unauthorized", "InvalidToken", "ExpiredToken", "InvalidSecurity"):
		e.Class, e.Remedy = witness.Refused, remedyCredentials
	case is("AccessDenied", "AllAccessDisabled", "AccountProblem"):
		e.Class, e.Remedy = witness.Refused, remedyAccess
	case f.Code != "":
		e.Class = witness.Refused
	default:
		e.Class, e.Remedy = witness.BadAnswer, remedyAddress
	}
	return e
}

// skew says by how much the store's clock and this host's differ, if they do.
func (a answer) skew() string {
	store, err := http.ParseTime(a.Header.Get("Date"))
	if err != nil {
		return ""
	}
	off := a.sent.Sub(store).Round(time.Second)
	if off < 0 {
		return fmt.Sprintf("; it is %v behind the store's", -off)
	}
	return fmt.Sprintf("; it is %v ahead of the store's", off)
}

// describe is the answer in one line.
func (a answer) describe(f fault, secret string) error {
	text := fmt.Sprintf("HTTP status %d", a.Status)
	if f.Code == "" {
		return errors.New(text + fmt.Sprintf(" with a body that starts %q", overhttp.Clip(string(a.Body), secret, 80)))
	}
	return errors.New(text + fmt.Sprintf(", %s %q", overhttp.Clip(f.Code, secret, 60), overhttp.Clip(f.Message, secret, 200)))
}
