package cilium

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cilium/cilium/api/v1/models"
	"k8s.io/apimachinery/pkg/labels"
)

// A subject tells which endpoints are the layer's, and which policies its fence.
type subject struct {
	selector   labels.Selector
	namespaces []string // none: all
	policy     string   // its name
}

// A view is what an agent says of the endpoints of its node.
type view struct {
	realised int      // endpoints that the fence holds for
	open     []string // those of the layer that it does not hold for, and why
	under    []string // those that are under it, or will be, the layer's or not
}

// judge looks at what is realised. The fence holds for a pod if the datapath has it, in both
// directions, if it is to stay, and if it is enforced.
//
// Pods are selected here by all labels that they bear, by the policy only by those that
// Cilium makes identities of: a selector's label that is not among these leaves a pod open
// for good, and is seen here.
func judge(endpoints []*models.Endpoint, s subject) view {
	var v view
	for _, e := range endpoints {
		if e == nil || e.Status == nil || gone(e.Status.State) {
			continue
		}
		bears, namespace := labelsOf(e.Status)
		name := nameOf(e, namespace)
		realised, wanted := policyOf(e.Status.Policy)
		in, out := s.in(realised)
		wantIn, wantOut := s.in(wanted)
		if in || out || wantIn || wantOut {
			v.under = append(v.under, name)
		}
		if !s.selects(bears, namespace) {
			continue
		}
		switch {
		case !wantIn || !wantOut:
			v.open = append(v.open, name+": the policy does not select it")
		case !in || !out:
			v.open = append(v.open, fmt.Sprintf("%s: the policy is not realised, at revision %d of %d", name, realised.PolicyRevision, wanted.PolicyRevision))
		case realised.PolicyEnabled != models.EndpointPolicyEnabledBoth:
			v.open = append(v.open, fmt.Sprintf("%s: policies are enforced: %s", name, realised.PolicyEnabled))
		case len(realised.DeniedIngressIdentities) == 0:
			v.open = append(v.open, name+": nobody is denied")
		default:
			v.realised++
		}
	}
	return v
}

// error says which pods are open; nil if none is.
func (v view) error() error {
	if len(v.open) == 0 {
		return nil
	}
	return fmt.Errorf("%d of %d pods of this node are not fenced: %s", len(v.open), len(v.open)+v.realised, few(v.open))
}

// few is a list for an error, which is no place for hundreds.
func few(names []string) string {
	const shown = 3
	if len(names) > shown {
		return fmt.Sprintf("%s; and %d more", strings.Join(names[:shown], "; "), len(names)-shown)
	}
	return strings.Join(names, "; ")
}

func gone(state *models.EndpointState) bool {
	return state != nil && (*state == models.EndpointStateDisconnecting || *state == models.EndpointStateDisconnected)
}

// policyOf is what is realised and what is wanted, empty where the agent says nothing.
func policyOf(s *models.EndpointPolicyStatus) (realised, wanted *models.EndpointPolicy) {
	realised, wanted = &models.EndpointPolicy{}, &models.EndpointPolicy{}
	if s != nil && s.Realized != nil {
		realised = s.Realized
	}
	if s != nil && s.Spec != nil {
		wanted = s.Spec
	}
	return realised, wanted
}

// in reports whether rules of the fence are in a policy, of each direction. The agent labels
// a rule with where it comes from: an object, or a static file.
func (s subject) in(p *models.EndpointPolicy) (ingress, egress bool) {
	if p.L4 == nil {
		return false, false
	}
	of := func(rules []*models.PolicyRule) bool {
		return slices.ContainsFunc(rules, func(r *models.PolicyRule) bool {
			return r != nil && slices.ContainsFunc(r.DerivedFromRules, func(from []string) bool {
				return slices.Contains(from, "k8s:io.cilium.k8s.policy.name="+s.policy) && slices.Contains(from, "k8s:io.cilium.k8s.policy.derived-from=CiliumClusterwideNetworkPolicy") ||
					slices.Contains(from, "directory:filename="+s.policy+".yaml")
			})
		})
	}
	return of(p.L4.Ingress), of(p.L4.Egress)
}

// selects reports whether a pod is the layer's, as pods has the policy select them.
func (s subject) selects(bears labels.Set, namespace string) bool {
	if namespace == "" || len(s.namespaces) > 0 && !slices.Contains(s.namespaces, namespace) {
		return false
	}
	return s.selector.Matches(bears) && !bears.Has(strings.TrimPrefix(databaseLabel, "k8s:"))
}

// labelsOf are all labels that Kubernetes has given to a pod, and its namespace.
func labelsOf(s *models.EndpointStatus) (bears labels.Set, namespace string) {
	bears = labels.Set{}
	if s.Labels != nil {
		for _, l := range slices.Concat(s.Labels.SecurityRelevant, s.Labels.Derived, s.Labels.Disabled) {
			if text, ok := strings.CutPrefix(l, "k8s:"); ok {
				key, value, _ := strings.Cut(text, "=")
				bears[key] = value
			}
		}
	}
	namespace = bears[strings.TrimPrefix(namespaceLabel, "k8s:")]
	if namespace == "" && s.ExternalIdentifiers != nil {
		namespace = s.ExternalIdentifiers.K8sNamespace
	}
	return bears, namespace
}

func nameOf(e *models.Endpoint, namespace string) string {
	if x := e.Status.ExternalIdentifiers; x != nil && x.K8sPodName != "" {
		return namespace + "/" + x.K8sPodName
	}
	return fmt.Sprintf("endpoint %d", e.ID)
}
