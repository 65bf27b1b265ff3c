package kvtest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// maxValue is Workers KV's own limit.
const maxValue = 25 << 20

// maxKey is Workers KV's own limit.
const maxKey = 512

// reply is what becomes of a request: an answer, whole or cut, or none.
type reply struct {
	hang, drop, cut bool
	status          int
	header          map[string]string
	body            []byte
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	rep := s.handle(r)
	switch {
	case rep.hang:
		select {
		case <-r.Context().Done():
		case <-s.closed:
		}
		panic(http.ErrAbortHandler)
	case rep.drop:
		panic(http.ErrAbortHandler)
	}
	for k, v := range rep.header {
		w.Header().Set(k, v)
	}
	w.Header().Set("Content-Length", fmt.Sprint(len(rep.body)))
	w.WriteHeader(rep.status)
	if rep.cut {
		w.Write(rep.body[:len(rep.body)/2])
		http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	w.Write(rep.body)
}

func (s *Server) handle(r *http.Request) reply {
	token, refusal := s.authenticate(r)
	if refusal != nil {
		return *refusal
	}
	key, refusal := s.route(r)
	if refusal != nil {
		return *refusal
	}
	switch r.Method {
	case http.MethodPut:
		value, err := readValue(r)
		if err != nil {
			return failure(http.StatusBadRequest, 10001, err.Error())
		}
		return s.put(token, key, value)
	case http.MethodGet:
		return s.get(token, key)
	}
	return failure(http.StatusMethodNotAllowed, 10000, "Method not allowed")
}

// authenticate returns the client's token, or the refusal that Cloudflare
// gives to a client without a good one.
func (s *Server) authenticate(r *http.Request) (string, *reply) {
	header := r.Header.Get("Authorization")
	token, ok := strings.CutPrefix(header, "Bearer ")
	switch {
	case header == "":
		rep := failure(http.StatusBadRequest, 9106, "Missing X-Auth-Key, X-Auth-Email or Authorization headers")
		return "", &rep
	case !ok || strings.ContainsAny(token, " \t"):
		rep := failure(http.StatusBadRequest, 6003, "Invalid request headers")
		return "", &rep
	case !slices.Contains(s.opts.Tokens, token):
		rep := failure(http.StatusForbidden, 9109, "Invalid access token")
		return "", &rep
	}
	return token, nil
}

// route returns the key that the request's path names. The path is taken apart
// as it was sent, escapes and all: a slash that a client did not escape does
// not belong to a key.
func (s *Server) route(r *http.Request) (string, *reply) {
	path := r.URL.EscapedPath()
	parts := strings.Split(strings.TrimPrefix(path, "/client/v4/"), "/")
	if len(parts) != 8 || parts[0] != "accounts" || strings.Join(parts[2:5], "/") != "storage/kv/namespaces" || parts[6] != "values" {
		rep := failure(http.StatusNotFound, 7003, fmt.Sprintf("Could not route to %s, perhaps your object identifier is invalid?", path))
		return "", &rep
	}
	key, err := url.PathUnescape(parts[7])
	var rep reply
	switch {
	case err != nil || key == "" || key == "." || key == "..":
		rep = failure(http.StatusBadRequest, 10012, "invalid key name")
	case len(key) > maxKey:
		rep = failure(http.StatusRequestURITooLong, 10030, fmt.Sprintf("key is too long, the limit is %d bytes", maxKey))
	case parts[1] != s.opts.AccountID:
		rep = failure(http.StatusForbidden, 10000, "Authentication error")
	case parts[5] != s.opts.NamespaceID:
		rep = failure(http.StatusNotFound, 10013, "namespace not found")
	default:
		return key, nil
	}
	return "", &rep
}

// readValue returns the value of a PUT, sent as it is or as a form.
func readValue(r *http.Request) ([]byte, error) {
	if r.URL.RawQuery != "" {
		return nil, fmt.Errorf("kvtest has no option %s", r.URL.RawQuery)
	}
	body := http.MaxBytesReader(nil, r.Body, maxValue)
	if !strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/form-data") {
		return io.ReadAll(body)
	}
	form, err := r.MultipartReader()
	if err != nil {
		return nil, err
	}
	for {
		part, err := form.NextPart()
		if err != nil {
			return nil, fmt.Errorf("no value in the form: %w", err)
		}
		if part.FormName() == "value" {
			return io.ReadAll(io.LimitReader(part, maxValue))
		}
	}
}

func (s *Server) put(token, key string, value []byte) reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.client(token, func(c *Counts) { c.Puts++ })
	s.land()
	if rep := s.refuse(f, true); rep != nil {
		mayApply := rep.status != http.StatusTooManyRequests
		if mayApply && s.chance(f.ApplyFailed) {
			s.values[key] = value
		}
		return *rep
	}
	if s.chance(f.Late) {
		after := f.LateMin
		if f.LateMax > f.LateMin {
			after += time.Duration(s.rng.Int64N(int64(f.LateMax-f.LateMin) + 1))
		}
		s.late = append(s.late, lateWrite{s.opts.Now().Add(after), key, value})
		return reply{drop: true}
	}
	s.values[key] = value
	if s.chance(f.LoseAnswer) {
		return reply{drop: true}
	}
	rep := envelope(http.StatusOK, true, nil)
	rep.cut = s.chance(f.Cut)
	return rep
}

func (s *Server) get(token, key string) reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.client(token, func(c *Counts) { c.Gets++ })
	if rep := s.refuse(f, false); rep != nil {
		return *rep
	}
	value, found := s.lookUp(token, key, f)
	rep := failure(http.StatusNotFound, 10009, "get: 'key not found'")
	if found {
		rep = reply{status: http.StatusOK, body: value, header: map[string]string{"Content-Type": "application/octet-stream"}}
	}
	rep.cut = s.chance(f.Cut)
	return rep
}

// client counts a request and returns the faults that it may meet.
func (s *Server) client(token string, count func(*Counts)) Faults {
	c := s.counts[token]
	count(&c)
	s.counts[token] = c
	if f, ok := s.faults[token]; ok {
		return f
	}
	return s.opts.Faults
}

// refuse is the fault, if any, that takes the place of an answer.
func (s *Server) refuse(f Faults, put bool) *reply {
	var rep reply
	switch {
	case s.chance(f.Hang):
		rep.hang = true
	case s.chance(f.RateLimited):
		rep = failure(http.StatusTooManyRequests, 971, "Please wait and consider throttling your request speed")
		if f.RetryAfter > 0 {
			rep.header["Retry-After"] = fmt.Sprint(int(f.RetryAfter.Seconds()))
		}
	case put && s.chance(f.OverQuota):
		rep = failure(http.StatusTooManyRequests, 10048, "your account has reached the free usage limit for this operation for today")
	case s.chance(f.ServerError):
		rep = failure(http.StatusInternalServerError, 10002, "unknown internal error")
		if s.rng.IntN(2) == 0 {
			rep.status, rep.body = http.StatusBadGateway, []byte("<html><head><title>502 Bad Gateway</title></head></html>")
			rep.header["Content-Type"] = "text/html"
		}
	case s.chance(f.SuccessFalse):
		rep = failure(http.StatusOK, 10002, "unknown internal error")
	default:
		return nil
	}
	return &rep
}

type apiError struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

func failure(status, code int, message string) reply {
	return envelope(status, false, []apiError{{code, message}})
}

func envelope(status int, success bool, errs []apiError) reply {
	e := struct {
		Success  bool       `json:"success"`
		Errors   []apiError `json:"errors"`
		Messages []apiError `json:"messages"`
		Result   any        `json:"result"`
	}{success, append([]apiError{}, errs...), []apiError{}, nil}
	if success {
		e.Result = struct{}{}
	}
	body, err := json.Marshal(e)
	if err != nil {
		panic(err) // strings and numbers always encode
	}
	return reply{status: status, header: map[string]string{"Content-Type": "application/json"}, body: body}
}
