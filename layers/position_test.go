package layers

import "testing"

func TestPosition(t *testing.T) {
	for want, p := range map[string]Position{
		"shop/db was at 0/5000":                                                                              {Object: "shop/db", At: "0/5000"},
		"shop/db was at 0/5000 3 s before":                                                                   {Object: "shop/db", At: "0/5000", Age: 2.7},
		"shop/db was at 0/5000; all that fsn had written is there":                                           {Object: "shop/db", At: "0/5000", Before: "fsn", Last: "0/4F00", Silence: 3, Whole: true},
		"shop/db was at 0/5000; fsn was at 0/5000 95 s before: what it wrote later is lost":                  {Object: "shop/db", At: "0/5000", Before: "fsn", Last: "0/5000", Silence: 95},
		"shop/db was at 0/5000; fsn was at 0/5400 95 s before: 1024 bytes are lost, and what it wrote later": {Object: "shop/db", At: "0/5000", Before: "fsn", Last: "0/5400", Silence: 95, Lacks: 1024},
	} {
		if got := p.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
