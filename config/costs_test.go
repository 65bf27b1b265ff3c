package config_test

import (
	"testing"
	"time"

	"github.com/openova-io/failoverd/config"
	"github.com/openova-io/failoverd/lease"
)

func TestUsage(t *testing.T) {
	c := load(t, "full") // two regions, poll 2s, renewal 10s
	writes, reads := c.Usage()
	if writes != 259_200 || reads != 2_592_000+518_400 {
		t.Errorf("got %d writes and %d reads, want 259200 and 3110400: a poll of each flag every 2s, and the holder's every 10s", writes, reads)
	}
}

func TestCosts(t *testing.T) {
	const kv, object, r2, aws = "Cloudflare Workers KV", "Cloudflare Durable Object", "Cloudflare R2", "AWS S3 (us-east-1)"
	for _, tt := range []struct {
		members     []lease.Region
		poll, renew time.Duration
		usd         map[string]float64
		beyond      map[string]string
	}{
		{[]lease.Region{"a", "b"}, time.Second, 10 * time.Second,
			// The figures of the object are those of deploy/cloudflare-worker/README.md.
			map[string]float64{kv: 5, object: 5.74, r2: 0, aws: 3.58},
			map[string]string{kv: "8,640 writes a day, of which 1,000 are free", object: "198,720 requests to the object a day, of which 100,000 are free", r2: "", aws: ""}},
		{[]lease.Region{"a", "b", "c"}, time.Second, 10 * time.Second,
			map[string]float64{kv: 8.16, object: 9.31, r2: 2.28, aws: 7.83},
			map[string]string{r2: "16,329,600 reads in 30 days, of which 10,000,000 are free"}},
		{[]lease.Region{"a", "b"}, time.Second, time.Second,
			map[string]float64{kv: 13.14, object: 7.68, r2: 7.30, aws: 17.11},
			map[string]string{r2: "2,592,000 writes in 30 days, of which 1,000,000 are free"}},
		{[]lease.Region{"a", "b"}, time.Minute, 2 * time.Minute,
			map[string]float64{kv: 0, object: 0, r2: 0, aws: 0.16},
			map[string]string{kv: "", object: ""}},
	} {
		c := made(t)
		c.Members, c.Lease.PollInterval, c.Lease.RenewInterval = tt.members, config.Duration(tt.poll), config.Duration(tt.renew)
		costs, unknown := c.Costs()
		if len(unknown) != 1 || unknown[0] != config.WitnessFile {
			t.Errorf("got no price of %q, want none of file", unknown)
		}
		for _, cost := range costs {
			if want := tt.usd[cost.Store]; cost.USD != want || cost.Free != (cost.USD == 0) {
				t.Errorf("%d regions, poll %v, renew %v: got %+v, want $%.2f", len(tt.members), tt.poll, tt.renew, cost, want)
			}
			if want, ok := tt.beyond[cost.Store]; ok && cost.Beyond != want {
				t.Errorf("%d regions, poll %v, renew %v, %s: got %q, want %q", len(tt.members), tt.poll, tt.renew, cost.Store, cost.Beyond, want)
			}
			if cost.Configured || cost.Published == "" {
				t.Errorf("got %+v, want a date, and that it is not the store of this configuration", cost)
			}
		}
	}
}

// TestCostsConfigured looks which price is that of the configured store.
func TestCostsConfigured(t *testing.T) {
	for _, tt := range []struct{ file, endpoint, want string }{
		{"minimal-kv", "", "Cloudflare Workers KV"},
		{"minimal-durable-object", "", "Cloudflare Durable Object"},
		{"minimal-s3", "", "Cloudflare R2"},
		{"minimal-s3", "https://s3.eu-central-1.amazonaws.com", "AWS S3 (us-east-1)"},
		{"minimal-s3", "https://minio.example.com", ""},
		{"minimal-s3", "https://notamazonaws.com", ""},
		{"minimal-file", "", ""},
		{"three-witnesses", "", "Cloudflare Workers KVAWS S3 (us-east-1)"},
	} {
		c := load(t, tt.file)
		if tt.endpoint != "" {
			c.Witness.S3.Endpoint = tt.endpoint
		}
		got := ""
		costs, unknown := c.Costs()
		if tt.file != "three-witnesses" && len(unknown) > 0 != (tt.want == "") {
			t.Errorf("%s %s: got no price of %q, want that of %q", tt.file, tt.endpoint, unknown, tt.want)
		}
		for _, cost := range costs {
			if cost.Configured {
				got += cost.Store
			}
		}
		if got != tt.want {
			t.Errorf("%s %s: got the price of %q, want %q", tt.file, tt.endpoint, got, tt.want)
		}
	}
}
