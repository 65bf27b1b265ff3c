package config

// A price is what a provider publishes of a store: US dollars, without tax,
// storage and traffic.
type price struct {
	store     string
	published string // when it was read, or the page that it was read from was
	applies   func(w *Witness) bool
	plan      float64 // a month, of the plan beyond the free one; 0: there is none
	parts     []part
}

// A part is one thing that is counted.
type part struct {
	what       string
	of         func(usage) float64 // of the usage in a month
	freeDaily  float64             // what the free plan takes in a day; 0: there is no free plan
	included   float64             // in a month, of the plan
	perMillion float64             // beyond that
}

func writes(u usage) float64    { return u.writes }
func reads(u usage) float64     { return u.reads }
func requested(u usage) float64 { return u.writes + u.reads }

// neverIdle is the duration in GB-s that a Durable Object of 128 MB is charged
// for in a month in which it is never idle.
func neverIdle(usage) float64 { return 0.128 * month.Seconds() }

// prices are those of the stores whose price is published by request. Prices
// change: read the page of a source again, and set its date.
var prices = []price{
	{
		// https://developers.cloudflare.com/kv/platform/pricing/
		store: "Cloudflare Workers KV", published: "2026-10", plan: 5,
		applies: func(w *Witness) bool { return w.Type == WitnessCloudflareKV },
		parts: []part{
			{"writes", writes, 1_000, 1e6, 5.00},
			{"reads", reads, 100_000, 10e6, 0.50},
		},
	},
	{
		// https://developers.cloudflare.com/durable-objects/platform/pricing/,
		// and of the Worker before it
		// https://developers.cloudflare.com/workers/platform/pricing/
		store: "Cloudflare Durable Object", published: "2026-10", plan: 5,
		applies: func(w *Witness) bool { return w.Type == WitnessDurableObject },
		parts: []part{
			{"requests to the object", requested, 100_000, 1e6, 0.15},
			{"requests to the Worker", requested, 100_000, 10e6, 0.30},
			{"GB-s", neverIdle, 13_000, 400_000, 12.50},
			{"rows written", requested, 100_000, 50e6, 1.00}, // by a read too,
		},
	},
	{
		// https://developers.cloudflare.com/r2/pricing/: class A and class B
		// operations of standard storage.
		store: "Cloudflare R2", published: "2026-08",
		applies: func(w *Witness) bool { return w.Type == WitnessS3 && w.S3 != nil && w.S3.R2() },
		parts: []part{
			{"writes", writes, 0, 1e6, 4.50},
			{"reads", reads, 0, 10e6, 0.36},
		},
	},
	{
		// https://aws.amazon.com/s3/pricing/: S3 Standard in us-east-1.
		store: "AWS S3 (us-east-1)", published: "2026-05",
		applies: func(w *Witness) bool { return w.Type == WitnessS3 && w.S3 != nil && w.S3.AWS() },
		parts: []part{
			{"writes", writes, 0, 0, 5.00},
			{"reads", reads, 0, 0, 0.40},
		},
	},
}
