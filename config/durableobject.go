package config

import (
	"net/url"
	"strings"
)

// WitnessDurableObject is the value of witness.type for a Cloudflare Durable
// Object.
const WitnessDurableObject = "durable-object"

// DurableObject is a Durable Object behind the Worker in deploy/cloudflare-worker.
type DurableObject struct {
	URL       string `yaml:"url" json:"url"` // of the Worker
	TokenFile string `yaml:"token_file" json:"token_file"`
}

var durableObject = store{
	witness: WitnessDurableObject,
	section: "durable_object",
	there:   func(w *Witness) bool { return w.DurableObject != nil },
	set: func(w *Witness) setter {
		return optional(&w.DurableObject, func(o *DurableObject) setter {
			return section(
				field{"url", text(&o.URL)},
				field{"token_file", text(&o.TokenFile)},
			)
		})
	},
	check: func(v *validator, at string, w *Witness) {
		atURL := join(at, "url")
		u, err := url.Parse(w.DurableObject.URL)
		switch {
		case w.DurableObject.URL == "":
			v.text(atURL, "", func(string) bool { return false })
		case err == nil && u.Host != "" && strings.Trim(u.Path, "/") != "":
			v.must(false, atURL, "found a URL with a path, expected %s", want(atURL))
		default:
			v.baseURL(atURL, w.DurableObject.URL, "the token would cross the network in clear")
		}
		v.text(join(at, "token_file"), w.DurableObject.TokenFile, isAbs)
	},
	secrets: func(v *validator, at string, w *Witness, s *WitnessSecrets) {
		s.Token = v.token(join(at, "token_file"), w.DurableObject.TokenFile)
	},
}
