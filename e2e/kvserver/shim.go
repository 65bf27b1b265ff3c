package kvserver

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

const (
	// apiPrefix is the path of the public API's base URL.
	apiPrefix = "/client/v4"

	// explorerAPI is where wrangler's local explorer serves the same routes without the account. Older wranglers had
	// /cdn-cgi/explorer/api, which this one still answers.
	explorerAPI = "/cdn-cgi/local/explorer/api"

	// maxBody is KV's limit for a value, 25 MiB, with room for the multipart frame around it.
	maxBody = 25<<20 + 64<<10
)

var (
	route = regexp.MustCompile(`^` + apiPrefix + `/accounts/([^/]+)(/storage/kv/namespaces/([^/]+)(?:/keys|/values/([^/]+)))$`)

	identifier  = regexp.MustCompile(`^[0-9a-f]{32}$`)
	tokenFormat = regexp.MustCompile(`^Bearer [A-Za-z0-9_-]{40,}$`)
)

// shim makes of wrangler's explorer what a client of the public API expects. The differences that it hides:
//
//   - The explorer has no accounts and asks for no token. The shim refuses a malformed token (400, codes 6003 and
//     6111), an unknown one (401, 10000), a malformed account (404, 7003) and another account (403, 10000).
//   - The explorer creates a namespace at the first write to it, and has no key in it before. The shim refuses every
//     namespace but its own (404, 10013).
//   - The explorer says "Not Found" where the API says "get: 'key not found'"; status and code (404, 10009) agree.
//   - The explorer sends a value without a content type; the API's is application/octet-stream.
//   - The explorer ignores expiration and expiration_ttl, silently. The shim refuses them with 501, so that no test
//     believes in an expiry that will not come.
//   - The explorer answers an unknown route with its web page. The shim answers as the API does (404, 7000).
//
// It leaves one: the explorer reads the value field of a multipart form (cloudflare-go's way) as text, so that bytes
// which are not UTF-8 become U+FFFD. A plain body keeps them.
//
// The API's error codes come from its public traces, not from a specification, which does not list them. A client
// should therefore decide by status first, and by code only where two cases share a status.
type shim struct {
	host      string // wrangler's address
	transport *http.Transport
	tb        testing.TB
}

func newShim(host string, tb testing.TB) *shim {
	return &shim{
		host: host,
		// Plain bodies both ways, since asAPI looks into them.
		transport: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 16},
		tb:        tb,
	}
}

func (s *shim) close() { s.transport.CloseIdleConnections() }

// serve answers one request. It calls gate between the store's answer and sending it on, and drops the answer if gate
// returns an error.
func (s *shim) serve(w http.ResponseWriter, r *http.Request, gate func(*http.Response) error) {
	authorization := r.Header.Get("Authorization")
	if !tokenFormat.MatchString(authorization) {
		writeError(w, http.StatusBadRequest, apiError{Code: 6003, Message: "Invalid request headers",
			Chain: []apiError{{Code: 6111, Message: "Invalid format for Authorization header"}}})
		return
	}
	if authorization != "Bearer "+token {
		writeError(w, http.StatusUnauthorized, apiError{Code: 10000, Message: "Authentication error"})
		return
	}
	// The escaped path, since a key may hold an escaped slash.
	match := route.FindStringSubmatch(r.URL.EscapedPath())
	if match == nil {
		writeError(w, http.StatusNotFound, apiError{Code: 7000, Message: "No route for that URI"})
		return
	}
	account, path, namespace, isValue := match[1], match[2], match[3], match[4] != ""
	switch {
	case !identifier.MatchString(account):
		writeError(w, http.StatusNotFound, apiError{Code: 7003, Message: fmt.Sprintf(
			"Could not route to %s, perhaps your object identifier is invalid?", strings.TrimPrefix(r.URL.Path, apiPrefix))})
		return
	case account != accountID:
		writeError(w, http.StatusForbidden, apiError{Code: 10000, Message: "Authentication error"})
		return
	case r.Method != http.MethodGet && (!isValue || r.Method != http.MethodPut && r.Method != http.MethodDelete):
		writeError(w, http.StatusMethodNotAllowed, apiError{Code: 7001, Message: fmt.Sprintf("Method %s not available for that URI.", r.Method)})
		return
	case namespace != namespaceID:
		writeError(w, http.StatusNotFound, apiError{Code: 10013, Message: strings.ToLower(r.Method) + ": 'namespace not found'"})
		return
	}
	if query := r.URL.Query(); query.Has("expiration") || query.Has("expiration_ttl") {
		writeError(w, http.StatusNotImplemented, apiError{Message: "kvserver: wrangler's explorer ignores an expiration"})
		return
	}

	proxy := httputil.ReverseProxy{
		Transport: s.transport,
		Rewrite: func(pr *httputil.ProxyRequest) {
			pr.Out.URL.Scheme, pr.Out.URL.Host, pr.Out.Host = "http", s.host, ""
			unescaped, err := url.PathUnescape(explorerAPI + path)
			if err != nil {
				unescaped = pr.In.URL.Path // cannot be: the server has parsed it
			}
			pr.Out.URL.Path, pr.Out.URL.RawPath = unescaped, explorerAPI+path
			pr.Out.Header.Del("Authorization")
			pr.Out.Header.Del("Accept-Encoding")
		},
		ModifyResponse: func(resp *http.Response) error {
			if err := gate(resp); err != nil {
				return err
			}
			return asAPI(resp, isValue)
		},
		ErrorHandler: func(_ http.ResponseWriter, r *http.Request, err error) {
			if r.Context().Err() == nil {
				s.tb.Logf("kvserver: %s %s: %v", r.Method, r.URL.Path, err)
			}
			// The client sees a broken connection: nothing that the shim could say would be the API's words.
			panic(http.ErrAbortHandler)
		},
	}
	proxy.ServeHTTP(w, r)
}

// asAPI gives the explorer's answer the form that the public API would give it.
func asAPI(resp *http.Response, isValue bool) error {
	if !isValue || resp.Request.Method != http.MethodGet {
		return nil
	}
	switch resp.StatusCode {
	case http.StatusOK:
		resp.Header.Set("Content-Type", "application/octet-stream")
	case http.StatusNotFound:
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			return err
		}
		body = bytes.Replace(body, []byte(`{"code":10009,"message":"Not Found"}`),
			[]byte(`{"code":10009,"message":"get: 'key not found'"}`), 1)
		resp.Body = io.NopCloser(bytes.NewReader(body))
		resp.ContentLength = int64(len(body))
		resp.Header.Set("Content-Length", strconv.Itoa(len(body)))
	}
	return nil
}

type apiError struct {
	Code    int        `json:"code"`
	Message string     `json:"message"`
	Chain   []apiError `json:"error_chain,omitempty"`
}

func writeError(w http.ResponseWriter, status int, e apiError) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// A failed write means that the client is gone, who is then not interested in the reason either.
	_ = json.NewEncoder(w).Encode(map[string]any{
		"success": false, "errors": []apiError{e}, "messages": []any{}, "result": nil,
	})
}
