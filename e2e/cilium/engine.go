package cilium

import (
	"log/slog"
	"slices"
	"sync"

	"github.com/cilium/cilium/api/v1/models"
	"github.com/cilium/cilium/pkg/crypto/certificatemanager"
	"github.com/cilium/cilium/pkg/endpoint/regeneration"
	envoypolicy "github.com/cilium/cilium/pkg/envoy/policy"
	"github.com/cilium/cilium/pkg/identity"
	"github.com/cilium/cilium/pkg/identity/identitymanager"
	"github.com/cilium/cilium/pkg/ipcache/types"
	v2 "github.com/cilium/cilium/pkg/k8s/apis/cilium.io/v2"
	"github.com/cilium/cilium/pkg/labels"
	"github.com/cilium/cilium/pkg/policy"
	"github.com/cilium/cilium/pkg/policy/api"
	"github.com/cilium/cilium/pkg/policy/trafficdirection"
	policytypes "github.com/cilium/cilium/pkg/policy/types"
	"github.com/cilium/cilium/pkg/policy/utils"
	testpolicy "github.com/cilium/cilium/pkg/testutils/policy"
	"github.com/cilium/cilium/pkg/u8proto"
)

// cluster is the name of the cluster that the engine is of; remote is another one of its mesh.
const (
	cluster = "fsn"
	remote  = "hel"
)

// engines is held by whoever uses any of them: Cilium counts selectors in a variable of its package.
var engines sync.Mutex

// An engine is Cilium's policy engine as its agent has it, without a datapath.
type engine struct {
	repository *policy.Repository
	manager    identitymanager.IDManager
	logger     *slog.Logger
	next       identity.NumericIdentity
}

var initEntities = sync.OnceFunc(func() { api.InitEntities(cluster) })

func newEngine() *engine {
	initEntities()
	logger := slog.New(slog.DiscardHandler)
	manager := identitymanager.NewIDManager(logger)
	return &engine{
		repository: policy.NewPolicyRepository(logger, identity.ListReservedIdentities(), nil,
			envoypolicy.NewEnvoyL7RulesTranslator(logger, certificatemanager.NewMockSecretManagerInline()), manager, testpolicy.NewPolicyMetricsNoop()),
		manager: manager, logger: logger, next: 1000,
	}
}

// identity is a new one with some labels, known to the engine.
func (e *engine) identity(text ...string) *identity.Identity {
	engines.Lock()
	defer engines.Unlock()
	e.next++
	id := identity.NewIdentity(e.next, labels.NewLabelsFromModel(text))
	e.know(id)
	return id
}

// reserved is one that Cilium has built in.
func (e *engine) reserved(n identity.NumericIdentity) *identity.Identity {
	engines.Lock()
	defer engines.Unlock()
	id := identity.LookupReservedIdentity(n)
	e.know(id)
	return id
}

func (e *engine) know(id *identity.Identity) {
	// Each takes from what it is given what it knows already.
	e.repository.GetSelectorCache().UpdateIdentities(identity.IdentityMap{id.ID: id.LabelArray}, nil, &sync.WaitGroup{})
	e.repository.UpdateIdentities(identity.IdentityMap{id.ID: id.LabelArray}, nil)
	e.manager.Add(id)
}

// set has a policy from some place, or none if it is nil. It goes through what an agent puts a policy through.
func (e *engine) set(kind types.ResourceKind, place string, p *v2.CiliumNetworkPolicy, relabel func(*api.Rule)) error {
	var entries policytypes.PolicyEntries
	if p != nil {
		rules, err := p.Parse(e.logger, cluster)
		if err != nil {
			return err
		}
		for _, r := range rules {
			if relabel != nil {
				relabel(r)
			}
		}
		entries = utils.RulesToPolicyEntries(rules)
	}
	engines.Lock()
	defer engines.Unlock()
	e.repository.ReplaceByResource(entries, types.NewResourceID(kind, "", place))
	return nil
}

// passes reports whether a new connection is let through, where it leaves and where it arrives.
func (e *engine) passes(from, to *identity.Identity, proto u8proto.U8proto, port uint16) (egress, ingress bool, err error) {
	engines.Lock()
	defer engines.Unlock()
	verdict, _, _, err := policy.LookupFlow(e.logger, e.repository, e.manager, policytypes.Flow{From: from, To: to, Proto: proto, Dport: port})
	return verdict.Egress == policytypes.DecisionAllowed, verdict.Ingress == policytypes.DecisionAllowed, err
}

// model is what the agent's API says of the policy of an endpoint with an identity.
func (e *engine) model(id *identity.Identity) (*models.EndpointPolicy, error) {
	engines.Lock()
	defer engines.Unlock()
	selected, revision, err := e.repository.ComputeSelectorPolicy(id)
	if err != nil {
		return nil, err
	}
	distilled := selected.DistillPolicy(e.logger, owner{}, nil)
	if err := distilled.Ready(); err != nil {
		return nil, err
	}
	defer func() {
		distilled.Detach(e.logger)
		selected.Supersede()
	}()
	m := &models.EndpointPolicy{ID: int64(id.ID), PolicyRevision: int64(revision), Build: int64(revision)}
	m.L4 = distilled.SelectorPolicy.L4Policy.GetModel()
	switch in, out := distilled.SelectorPolicy.IngressPolicyEnabled, distilled.SelectorPolicy.EgressPolicyEnabled; {
	case in && out:
		m.PolicyEnabled = models.EndpointPolicyEnabledBoth
	case in:
		m.PolicyEnabled = models.EndpointPolicyEnabledIngress
	case out:
		m.PolicyEnabled = models.EndpointPolicyEnabledEgress
	default:
		m.PolicyEnabled = models.EndpointPolicyEnabledNone
	}
	// As pkg/endpoint does it.
	for key, entry := range distilled.Entries() {
		if key.Nexthdr != 0 || key.DestPort != 0 {
			continue
		}
		list := map[[2]bool]*[]int64{
			{true, true}: &m.DeniedIngressIdentities, {true, false}: &m.AllowedIngressIdentities,
			{false, true}: &m.DeniedEgressIdentities, {false, false}: &m.AllowedEgressIdentities,
		}[[2]bool{key.TrafficDirection() == trafficdirection.Ingress, entry.IsDeny()}]
		*list = append(*list, int64(key.Identity))
	}
	for _, list := range []*[]int64{&m.DeniedIngressIdentities, &m.AllowedIngressIdentities, &m.DeniedEgressIdentities, &m.AllowedEgressIdentities} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
	return m, nil
}

// An owner is an endpoint of which the engine wants to know nothing.
type owner struct{}

func (owner) GetID() uint64                                      { return 1 }
func (owner) GetIngressNamedPort(string, u8proto.U8proto) uint16 { return 0 }
func (owner) PolicyDebug(string, ...any)                         {}
func (owner) IsHost() bool                                       { return false }
func (owner) PreviousMapStateSizes() policy.MapStateSizes        { return policy.MapStateSizes{} }
func (owner) RegenerateIfAlive(*regeneration.ExternalRegenerationMetadata) <-chan bool {
	done := make(chan bool)
	close(done)
	return done
}
