// Package cnpg tests layers/cnpg against two regions: two real API servers, each with the real CloudNativePG operator, whose
// webhooks admit or refuse everything that is written.
//
// There is no kubelet, so no instance runs. What an instance, and the part of the operator that needs one, would do is
// done by a stand-in (postgres_test.go): it stops and starts when it is fenced, is demoted with a token of CloudNativePG's
// form, refuses or awaits a token by CloudNativePG's own rules, and streams from the other region. It answers /pg/status
// in place of the API server's proxy.
package cnpg
