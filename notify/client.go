package notify

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// An Endpoint is where a receiver is, by HTTP.
type Endpoint struct {
	URL         string         // without user, query and fragment
	BearerToken string         // empty: none is sent
	Roots       *x509.CertPool // that its certificate is checked against; nil: the system's

	// Dial makes connections; nil: as the system does.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// A client sends requests to one endpoint, each once. Its errors name the host alone: a path may be a secret, too.
type client struct {
	http  *http.Client
	url   *url.URL
	token string
}

func newClient(at Endpoint) (*client, error) {
	u, err := url.Parse(at.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("the URL of a receiver of notifications has another form than https://host/path")
	}
	return &client{url: u, token: at.BearerToken, http: &http.Client{
		// A receiver that moves has to be configured: a redirect could lead the token anywhere.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, DialContext: at.Dial,
			TLSClientConfig: &tls.Config{RootCAs: at.Roots, MinVersion: tls.VersionTLS12},
			// Messages are rare, and a connection that has died in between would cost an attempt.
			DisableKeepAlives: true, DisableCompression: true, MaxResponseHeaderBytes: 64 << 10,
		},
	}}, nil
}

// do sends a request, and judges the answer by its status. Its body is not read.
func (c *client) do(ctx context.Context, method string, to *url.URL, header http.Header, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, method, to.String(), bytes.NewReader(body))
	if err != nil {
		return c.bare(err)
	}
	for name, values := range header {
		req.Header[name] = values
	}
	req.Header.Set("User-Agent", "failoverd")
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return c.bare(err)
	}
	resp.Body.Close()
	err = fmt.Errorf("%s answers %d %s", c.url.Host, resp.StatusCode, http.StatusText(resp.StatusCode))
	switch code := resp.StatusCode; {
	case code >= 200 && code < 300:
		return nil
	case code >= 300 && code < 400:
		return fmt.Errorf("%w: redirects are not followed", err)
	case code == http.StatusBadRequest, code == http.StatusRequestEntityTooLarge, code == http.StatusUnprocessableEntity:
		return &RefusedError{err} // the others are about the receiver, or its configuration, and not about what was sent
	}
	if after := retryAfter(resp.Header.Get("Retry-After")); after > 0 {
		return &LaterError{err, after}
	}
	return err
}

// reach makes a connection, and closes it before anything is sent on it.
func (c *client) reach(ctx context.Context) error {
	connected := false
	req, err := http.NewRequestWithContext(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(of httptrace.GotConnInfo) { connected = true; of.Conn.Close() },
	}), http.MethodPost, c.url.String(), nil)
	if err != nil {
		return c.bare(err)
	}
	resp, err := c.http.Do(req)
	if err == nil {
		resp.Body.Close()
	}
	if connected {
		return nil
	}
	return c.bare(err)
}

// bare makes an error one that can be shown. Those of net/http hold the URL, and what a server has said may hold the token.
func (c *client) bare(err error) error {
	var of *url.Error
	if errors.As(err, &of) {
		err = of.Err
	}
	text := err.Error()
	if c.token != "" && strings.Contains(text, c.token) {
		err = errors.New(strings.ReplaceAll(text, c.token, "(not shown)"))
	}
	return fmt.Errorf("%s: %w", c.url.Host, err)
}

// retryAfter is the time that a header asks for: seconds, or a date; 0 if it is neither.
func retryAfter(header string) time.Duration {
	if s, err := strconv.ParseUint(header, 10, 31); err == nil {
		return time.Duration(s) * time.Second
	}
	if at, err := http.ParseTime(header); err == nil {
		return time.Until(at)
	}
	return 0
}
