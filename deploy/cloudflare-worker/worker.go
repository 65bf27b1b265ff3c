// Package worker holds the Worker, for the tests: so Go sees when it has changed.
package worker

import "embed"

// Files are what is deployed.
//
//go:embed src wrangler.jsonc
var Files embed.FS
