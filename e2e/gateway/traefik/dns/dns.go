// Package dns stands in for the DNS providers of lego, which proves the ownership of names with them: dozens of modules, of
// which some can't be had. setup.sh puts it into a copy of lego.
package dns

import (
	"fmt"

	"github.com/go-acme/lego/v5/challenge"
)

// NewDNSChallengeProviderByName refuses.
func NewDNSChallengeProviderByName(name string) (challenge.Provider, error) {
	return nil, fmt.Errorf("DNS provider %s is not built in", name)
}
