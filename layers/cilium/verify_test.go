package cilium

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cilium/cilium/api/v1/client/endpoint"
	"github.com/cilium/cilium/api/v1/models"
)

// endpointsUntil are those of an agent with one pod, which is under the fence until an instant.
// It counts how often it is asked.
type endpointsUntil struct {
	endpoint.ClientService
	until time.Time
	asked int
}

func (e *endpointsUntil) GetEndpointContext(context.Context, *endpoint.GetEndpointParams, ...endpoint.ClientOption) (*endpoint.GetEndpointOK, error) {
	e.asked++
	answer := endpoint.NewGetEndpointOK()
	if time.Now().Before(e.until) {
		rule := &models.PolicyRule{DerivedFromRules: [][]string{{"directory:filename=failoverd-fence-rtz.yaml"}}}
		answer.Payload = []*models.Endpoint{{Status: &models.EndpointStatus{Policy: &models.EndpointPolicyStatus{
			Realized: &models.EndpointPolicy{L4: &models.L4Policy{Ingress: []*models.PolicyRule{rule}}},
		}}}}
	}
	return answer, nil
}

// TestAwaitAsksSeldom has an agent take its time: it is asked ever more seldom, and yet what it
// has done is known within a second.
func TestAwaitAsksSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		const takes = 10 * time.Second
		asked := &endpointsUntil{until: begun.Add(takes)}
		l := &Layer{agent: &agent{socket: t.TempDir(), endpointAPI: asked}}
		l.policy.name = "failoverd-fence-rtz"
		if err := l.awaitLifted(t.Context()); err != nil {
			t.Fatal(err)
		}
		if after := time.Since(begun); after < takes || after > takes+time.Second {
			t.Errorf("lifted after %v, known after %v", takes, after)
		}
		if asked.asked > 20 {
			t.Errorf("asked %d times in %v, want 20 at most", asked.asked, takes)
		}
	})
}
