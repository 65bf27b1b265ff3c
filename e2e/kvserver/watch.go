package kvserver

import (
	"bytes"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
)

// A Request is a request for one value, as it reached a link.
type Request struct {
	Method string
	Key    string // unescaped
	Value  []byte // of a PUT
}

// A Watcher is told of every request for a value when all of it has arrived at the link, cut or whole. What it returns,
// if that is not nil, is told the status of the store's answer, before the client gets to see it, and holds that answer
// up until it returns; it is never called for a request that the store has not answered. Both may be called by many
// goroutines at once.
type Watcher func(Request) (answered func(status int))

// Watch has w told of every later request of this client; nil ends it.
func (l *Link) Watch(w Watcher) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.watcher = w
}

// watch tells the watcher of a request and returns what is to be told the status.
func (l *Link) watch(r *http.Request, body []byte) func(status int) {
	l.mu.Lock()
	w := l.watcher
	l.mu.Unlock()
	key, ok := keyOf(r)
	if w == nil || !ok {
		return func(int) {}
	}
	req := Request{Method: r.Method, Key: key}
	if r.Method == http.MethodPut {
		req.Value = valueOf(r.Header.Get("Content-Type"), body)
	}
	if answered := w(req); answered != nil {
		return answered
	}
	return func(int) {}
}

// keyOf is the key of the value that a request is for, if it is for one.
func keyOf(r *http.Request) (key string, ok bool) {
	match := route.FindStringSubmatch(r.URL.EscapedPath())
	if match == nil || match[4] == "" {
		return "", false
	}
	key, err := url.PathUnescape(match[4])
	if err != nil {
		key = match[4] // cannot be: the server has parsed it
	}
	return key, true
}

// valueOf is the value in the body of a PUT: all of it, or the field of that name in a multipart form.
func valueOf(contentType string, body []byte) []byte {
	mediaType, params, err := mime.ParseMediaType(contentType)
	if err != nil || mediaType != "multipart/form-data" {
		return body
	}
	parts := multipart.NewReader(bytes.NewReader(body), params["boundary"])
	for {
		part, err := parts.NextPart()
		if err != nil {
			return nil
		}
		if part.FormName() != "value" {
			continue
		}
		if value, err := io.ReadAll(part); err == nil {
			return value
		}
		return nil
	}
}
