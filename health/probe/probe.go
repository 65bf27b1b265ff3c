// Package probe looks at what a region consists of: one probe, one signal of package health. A probe that could not look,
// or whose look says nothing about the region, says so: that is Unknown, and makes nobody ill.
package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/miekg/dns"

	"github.com/openova-io/failoverd/health"
)

// judge is well without an error.
func judge(well string, err error) (health.Verdict, string) {
	if err != nil {
		return health.Ill, err.Error()
	}
	return health.Well, well
}

// HTTP gets a URL: below 400 is well. Redirects are not followed, and nothing is kept open: a new connection is part of
// what is looked at.
func HTTP(address string) func(context.Context) (health.Verdict, string) {
	client := &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return func(ctx context.Context) (health.Verdict, string) {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
		if err != nil {
			return health.Unknown, bare(err)
		}
		request.Header.Set("User-Agent", "failoverd")
		response, err := client.Do(request)
		if err != nil {
			return health.Ill, bare(err)
		}
		response.Body.Close()
		if response.StatusCode >= http.StatusBadRequest {
			return health.Ill, "HTTP " + response.Status
		}
		return health.Well, "HTTP " + response.Status
	}
}

// bare is the text of an error of net/http that can be shown: around it (*url.Error) is the URL, whose query may be a secret.
func bare(err error) string { return fmt.Sprint(errors.Unwrap(err)) }

// TCP connects to host:port.
func TCP(address string) func(context.Context) (health.Verdict, string) {
	return func(ctx context.Context) (health.Verdict, string) {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		if err == nil {
			err = conn.Close()
		}
		return judge("connected", err)
	}
}

// DNS asks a server, host:port, for the addresses of a name: one at least is well.
func DNS(name, server string) func(context.Context) (health.Verdict, string) {
	return func(ctx context.Context) (health.Verdict, string) {
		question := new(dns.Msg).SetQuestion(dns.Fqdn(name), dns.TypeA)
		client := new(dns.Client)
		if deadline, ok := ctx.Deadline(); ok { // without, it gives up after 2 s whatever the context says
			client.Timeout = time.Until(deadline)
		}
		answer, _, err := client.ExchangeContext(ctx, question, server)
		if err != nil {
			return health.Ill, err.Error()
		}
		if answer.Rcode != dns.RcodeSuccess {
			return health.Ill, dns.RcodeToString[answer.Rcode]
		}
		found := 0
		for _, rr := range answer.Answer {
			if rr.Header().Rrtype == dns.TypeA { // and not an alias, which may lead nowhere
				found++
			}
		}
		if found == 0 {
			return health.Ill, "no address"
		}
		return health.Well, fmt.Sprintf("%d records", found)
	}
}
