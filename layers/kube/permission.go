package kube

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/openova-io/failoverd/layers"
)

// A Permission is what the daemon has to be allowed at the API server for one kind of
// object.
type Permission struct {
	Group      string
	Resource   string // or resource/subresource
	Verbs      []string
	Namespaces []string // none: all, and objects without a namespace
}

// A Permitted is a layer that says what it has to be allowed, and asks for nothing
// else.
type Permitted interface {
	layers.Layer
	Permissions() []Permission
}

// Permissions are what a set has to be allowed.
func (s *Set) Permissions() Permission {
	p := Permission{Group: s.resource.Group, Resource: s.resource.Resource, Verbs: []string{"get", "list", "update", "watch"}}
	if s.namespaces[0] != metav1.NamespaceAll {
		p.Namespaces = s.namespaces
	}
	return p
}

var accessReviews = schema.GroupVersionResource{Group: "authorization.k8s.io", Version: "v1", Resource: "selfsubjectaccessreviews"}

// Denied asks the API server which verbs of a permission this client does not have, by
// namespace: "update in shop". It returns an error if that can't be told.
func (c *Client) Denied(ctx context.Context, p Permission) ([]string, error) {
	namespaces := p.Namespaces
	if len(namespaces) == 0 {
		namespaces = []string{metav1.NamespaceAll}
	}
	resource, sub, _ := strings.Cut(p.Resource, "/")
	var denied []string
	for _, ns := range namespaces {
		for _, verb := range p.Verbs {
			attributes := map[string]any{"group": p.Group, "resource": resource, "subresource": sub, "verb": verb, "namespace": ns}
			review := &unstructured.Unstructured{Object: map[string]any{
				"apiVersion": accessReviews.GroupVersion().String(), "kind": "SelfSubjectAccessReview",
				"spec": map[string]any{"resourceAttributes": attributes},
			}}
			review, err := c.Resource(accessReviews).Create(ctx, review, metav1.CreateOptions{})
			if err != nil {
				return nil, fmt.Errorf("ask what is allowed: %w", err)
			}
			if allowed, _, _ := unstructured.NestedBool(review.Object, "status", "allowed"); !allowed {
				where := ""
				if ns != metav1.NamespaceAll {
					where = " in " + ns
				}
				denied = append(denied, verb+where)
			}
		}
	}
	return denied, nil
}

// Merge puts permissions for one kind of object in the same namespaces together, in a
// fixed order.
func Merge(all []Permission) []Permission {
	var merged []Permission
	for _, p := range all {
		i := slices.IndexFunc(merged, func(m Permission) bool {
			return m.Group == p.Group && m.Resource == p.Resource && slices.Equal(m.Namespaces, p.Namespaces)
		})
		if i < 0 {
			merged = append(merged, Permission{p.Group, p.Resource, nil, p.Namespaces})
			i = len(merged) - 1
		}
		merged[i].Verbs = append(merged[i].Verbs, p.Verbs...)
	}
	for i := range merged {
		slices.Sort(merged[i].Verbs)
		merged[i].Verbs = slices.Compact(merged[i].Verbs)
	}
	slices.SortFunc(merged, func(a, b Permission) int {
		return cmp.Or(cmp.Compare(a.Group, b.Group), cmp.Compare(a.Resource, b.Resource), cmp.Compare(strings.Join(a.Namespaces, ","), strings.Join(b.Namespaces, ",")))
	})
	return merged
}
