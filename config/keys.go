package config

import (
	"regexp"
	"slices"
	"strings"
)

// A key of the file, in the words in which errors and docs/configuration.md say what it is.
type key struct {
	expected string // what belongs there
	means    string // what it is for, where expected does not say so already
	limits   string // which values are refused, where expected does not say so already
}

// keys are those of the file. An element of a list is written [], any name *.
var keys = map[string]key{
	"group":            {expected: "the name of the failover group, a DNS label (lower-case letters, digits and -, at most 63) such as rtz-prod", means: "which lease this is"},
	"region":           {expected: "the name of this region as it is in members, a DNS label (lower-case letters, digits and -, at most 63) such as hz-fsn-rtz-prod", means: "this cluster", limits: "one of `members`"},
	"members":          {expected: "a list of all regions of the group, in the same order everywhere, such as [fsn, hel]", means: "all regions; where several could take, an earlier one does", limits: "at least two, none twice"},
	"members[]":        {expected: "the name of a region, a DNS label (lower-case letters, digits and -, at most 63) such as hz-fsn-rtz-prod"},
	"mode":             {expected: "automatic, semi-automatic or manual", means: "what the region decides by itself: to take, and to hand over while it is degraded; to prepare both and wait for `failoverd approve`; neither ([operations.md](operations.md))"},
	"approval_timeout": {expected: "a duration with its unit (ms, s, m, h), such as 15m", means: "what an operator has said to a semi-automatic or manual region is good for so long, and a request is made anew after it", limits: "above 0s"},

	"lease":                 {expected: "a section of keys such as ttl: 30s", means: "the times of the lease"},
	"lease.ttl":             {expected: "a duration with its unit (ms, s, m, h), such as 30s", means: "how long authority lasts from the sending of a renewal", limits: "at most 1h"},
	"lease.renew_interval":  {expected: "a duration with its unit (ms, s, m, h), such as 10s", means: "the active region renews this often", limits: "from 10ms; `renew_interval` + max(`request_timeout`, `retry_interval`) < `ttl` - `fence_timeout`: a lost renewal can be made up for"},
	"lease.retry_interval":  {expected: "a duration with its unit (ms, s, m, h), such as 2s", means: "a renewal that failed is tried again after this", limits: "from 10ms (1s on Workers KV and Cloudflare R2, which take no more writes of a key) to `renew_interval`, see there"},
	"lease.poll_interval":   {expected: "a duration with its unit (ms, s, m, h), such as 2s", means: "a standby reads all flags this often", limits: "from 10ms to `renew_interval`; on Workers KV so long that the group stays below 1,200 requests in 5 minutes"},
	"lease.request_timeout": {expected: "a duration with its unit (ms, s, m, h), such as 5s", means: "an answer of the witness or the quorum that is later counts for nothing", limits: "from 10ms; see `renew_interval`"},
	"lease.fence_timeout":   {expected: "a duration with its unit (ms, s, m, h), such as 10s", means: "fencing starts this long before authority ends: what the slowest layer needs", limits: "from 10ms; below `ttl`, see `renew_interval`"},
	"lease.max_clock_drift": {expected: "a percentage with its sign, such as 0.2%", means: "by how much the rate of any region's clock may be off", limits: "0.06% to 10%"},

	"witness":                              {expected: "a section of keys such as type: cloudflare-kv", means: "the store that the regions' flags are in"},
	"witness.type":                         {expected: "cloudflare-kv, durable-object, s3, etcd, kubernetes or file"},
	"witness.staleness":                    {expected: "a duration with its unit (ms, s, m, h), such as 60s", means: "how old what a read returns may be (Δ)", limits: "from 0s to 24h; on Workers KV from 60s"},
	"witness.prefix":                       {expected: "the first part of every key in the store, such as failoverd", means: "keys are `<prefix>/<group>/flag/<region>` and `<prefix>/<group>/info/<region>`, with the name behind the group where there are several witnesses", limits: "at most 128 characters"},
	"witness.cloudflare_kv":                {expected: "a section with account_id, namespace_id and api_token_file", means: "a namespace of Cloudflare Workers KV; required with `type: cloudflare-kv`", limits: "only with that type"},
	"witness.cloudflare_kv.account_id":     {expected: "the account's id, 32 hexadecimal digits from the Cloudflare dashboard"},
	"witness.cloudflare_kv.namespace_id":   {expected: "the KV namespace's id, 32 hexadecimal digits from the Cloudflare dashboard"},
	"witness.cloudflare_kv.api_token_file": {expected: "the absolute path of a file that holds the API token", means: "the token may read and write Workers KV", limits: "mode 0600 or 0400, or of root's 0640 or 0440"},
	"witness.cloudflare_kv.base_url":       {expected: "the https URL of an API that speaks as Cloudflare's does, or nothing for the public API", limits: "http only to this machine: the token would cross the network in clear"},
	"witness.durable_object":               {expected: "a section with url and token_file", means: "a Cloudflare Durable Object behind a Worker ([witnesses.md](witnesses.md#durable-object)); required with `type: durable-object`", limits: "only with that type"},
	"witness.durable_object.url":           {expected: "the https URL of the Worker without a path, such as https://failoverd-witness.example.workers.dev", limits: "http only to this machine: the token would cross the network in clear"},
	"witness.durable_object.token_file":    {expected: "the absolute path of a file that holds the Worker's token", limits: "mode 0600 or 0400, or of root's 0640 or 0440"},
	"witness.s3":                           {expected: "a section with endpoint, bucket, region and credentials_file", means: "a bucket of Cloudflare R2, AWS S3, SeaweedFS, MinIO or another store with that API ([witnesses.md](witnesses.md#s3)); required with `type: s3`", limits: "only with that type"},
	"witness.s3.endpoint":                  {expected: "the https URL of the store, without the bucket, such as https://s3.eu-central-1.amazonaws.com", limits: "http only to this machine: records could be kept back on the way"},
	"witness.s3.bucket":                    {expected: "the name of a bucket, such as failoverd-witness: lower-case letters, digits, hyphens and dots, from 3 to 63", limits: "without dots unless `path_style`"},
	"witness.s3.region":                    {expected: "the region of the bucket, such as eu-central-1: auto on R2, us-east-1 where the store has none"},
	"witness.s3.path_style":                {expected: "true or false, without quotes", means: "whether the bucket is in the path of URLs, which every store known takes, or before the host's name"},
	"witness.s3.credentials_file":          {expected: "the absolute path of a file that holds aws_access_key_id and aws_secret_access_key, as AWS's tools write it", means: "the access key may read, write and remove objects of the bucket; the daemon reads it at its start", limits: "mode 0600 or 0400, or of root's 0640 or 0440; one profile, no session token"},
	"witness.etcd":                         {expected: "a section with endpoints", means: "a cluster of etcd ([witnesses.md](witnesses.md#etcd)); required with `type: etcd`", limits: "only with that type"},
	"witness.etcd.endpoints":               {expected: "a list of the client URLs of the cluster's members, such as [\"https://etcd-0.example.com:2379\", \"https://etcd-1.example.com:2379\"]", means: "one is asked, and the next one after an error", limits: "none twice; http only to this machine: records could be kept back on the way"},
	"witness.etcd.endpoints[]":             {expected: "the https URL of a member of etcd, such as https://etcd-0.example.com:2379"},
	"witness.etcd.tls":                     {expected: "a section with ca_file, or cert_file and key_file", means: "without it the system's authorities count, and no client certificate is shown", limits: "only with https"},
	"witness.etcd.tls.ca_file":             {expected: "the absolute path of a file with the certificates of authorities, in PEM, or nothing for the system's", means: "the daemon reads it at its start"},
	"witness.etcd.tls.cert_file":           {expected: "the absolute path of a file with the client certificate, in PEM, or nothing to show none", means: "read anew for each connection, as the key is", limits: "not without `key_file`"},
	"witness.etcd.tls.key_file":            {expected: "the absolute path of a file with the client certificate's key, in PEM", limits: "mode 0600 or 0400, or of root's 0640 or 0440"},
	"witness.etcd.username":                {expected: "the name of a user of etcd, such as failoverd, or nothing where etcd asks for none or knows the client certificate", limits: "not without `password_file`"},
	"witness.etcd.password_file":           {expected: "the absolute path of a file that holds the user's password", limits: "mode 0600 or 0400, or of root's 0640 or 0440"},
	"witness.kubernetes":                   {expected: "a section with kubeconfig and namespace", means: "ConfigMaps of a management cluster, which is no region ([witnesses.md](witnesses.md#kubernetes)); required with `type: kubernetes`", limits: "only with that type"},
	"witness.kubernetes.kubeconfig":        {expected: "the absolute path of a kubeconfig file of the management cluster", means: "its user may get, create and patch ConfigMaps in the namespace", limits: "mode 0600 or 0400, or of root's 0640 or 0440"},
	"witness.kubernetes.namespace":         {expected: "the name of a namespace there, a DNS label such as failoverd-witness", limits: "it has to exist"},
	"witness.file":                         {expected: "a section with dir", means: "a directory; required with `type: file`", limits: "only with that type"},
	"witness.file.dir":                     {expected: "the absolute path of a directory that every region sees", limits: "it has to exist"},

	"witnesses":        {expected: "a list of three, five or seven witnesses, each with name, type and the section of its type", means: "instead of `witness`: the outage of less than half of them costs nothing ([witnesses.md](witnesses.md#several-witnesses)); each has the keys of `witness`", limits: "the same names everywhere, each another store"},
	"witnesses[]":      {expected: "a witness: a section with name, type and the section of its type"},
	"witnesses[].name": {expected: "the name of the witness, a DNS label such as kv", limits: "none twice, the same in every region"},

	"quorum":             {expected: "a section of keys such as zone: failover.example.com", means: "regions ask one another through public resolvers ([dns.md](dns.md)); without it an outage of the witness ends authority, and nothing can be handed over"},
	"quorum.zone":        {expected: "a DNS name in lower case, without a dot at its end, such as failover.example.com (each label letters, digits and -, at most 63)", means: "`<region>.<zone>` is delegated to that region's agents", limits: "short enough for the names of questions"},
	"quorum.listen":      {expected: "a host and a port from 1 to 65535, such as :5353", means: "this region's DNS server, UDP and TCP; port 53 as seen from outside"},
	"quorum.resolvers":   {expected: "a list of the public resolvers that are asked, such as [\"8.8.8.8:53\", \"1.1.1.1:53\", \"9.9.9.9:53\"]", means: "who is asked, all at once; best each run by somebody else", limits: "none twice"},
	"quorum.resolvers[]": {expected: "the IP address and the port of a resolver, such as 8.8.8.8:53 or [2620:fe::fe]:53 (a name can't be looked up without a resolver)"},
	"quorum.required":    {expected: "a whole number without quotes, such as 2: how many resolvers must agree", limits: "more than half of `resolvers`, at most all"},
	"quorum.timeout":     {expected: "a duration with its unit (ms, s, m, h), such as 2s", means: "an answer that is later counts for nothing", limits: "above 0s, at most `lease.request_timeout`"},

	"identity":                  {expected: "a section with private_key_file and public_keys", means: "what records and answers are signed and checked with"},
	"identity.private_key_file": {expected: "the absolute path of this region's key, made by failoverd keygen", limits: "mode 0600 or 0400, or of root's 0640 or 0440; its public key is this region's in `public_keys`"},
	"identity.public_keys":      {expected: "a section with the public key of every member, as failoverd keygen prints it", limits: "one for each of `members` and nobody else, each its own"},
	"identity.public_keys.*":    {expected: "a public key as failoverd keygen prints it: the standard base64 of 32 bytes, 44 characters"},

	"instances":               {expected: "a section with term_duration", means: "the region has several agents, one of which acts ([instances.md](instances.md))"},
	"instances.dns_service":   {expected: "the name of a Service without a selector in kubernetes.namespace, a DNS label such as failoverd-dns, with the section quorum; or nothing", means: "by which resolvers reach the agent that acts, where all are pods"},
	"instances.term_duration": {expected: "a duration such as 4s: for how long an instance that acts for the region is not replaced after its last sign of life", limits: "above 0s; `lease.renew_interval` + 2 `term_duration` < `lease.ttl` - `lease.fence_timeout`: an heir is in time to renew"},

	"watchdog":         {expected: "a section with device and timeout", means: "the kernel's watchdog resets the machine where the agent stands still, or layers are not fenced in time ([deadman.md](deadman.md))"},
	"watchdog.device":  {expected: "the absolute path of a watchdog, such as /dev/watchdog"},
	"watchdog.timeout": {expected: "a duration in whole seconds, from 1s to lease.fence_timeout, such as 10s: the machine is reset so long after the agent has pinged it last"},

	"kubernetes":            {expected: "a section with kubeconfig and namespace", means: "the cluster that layers act on, and that shows the state ([kubernetes.md](kubernetes.md)); asked only where something needs it"},
	"kubernetes.kubeconfig": {expected: "the absolute path of a kubeconfig file, or nothing for the service account of the pod", limits: "mode 0600 or 0400, or of root's 0640 or 0440"},
	"kubernetes.commands":   {expected: "true or false, without quotes", means: "whoever may update the Lease that shows the state may command by it ([kubernetes.md](kubernetes.md#commands))"},
	"kubernetes.namespace":  {expected: "the name of a namespace, a DNS label such as failoverd, or nothing for that of the pod, or failoverd where the daemon is in none", means: "of the Lease that shows the state, and of that which instances share"},

	"layers":                         {expected: "a section such as httproute or hooks", means: "what is made active and fenced, from the inside out; none: the daemon decides and applies nothing"},
	"layers.httproute":               {expected: "a section with selector", means: "routes of the Gateway API ([routes.md](routes.md))"},
	"layers.httproute.selector":      {expected: "the labels of the objects that are the layer's, such as failover.openova.io/group=rtz-prod (not empty: that would be everything)"},
	"layers.httproute.namespaces":    {expected: "a list of namespaces, such as [shop], or none for all"},
	"layers.httproute.namespaces[]":  {expected: "the name of a namespace, a DNS label such as shop"},
	"layers.httproute.gateway_delay": {expected: "a duration such as 2s, below lease.fence_timeout: how long the gateway takes at most to act on a changed route", means: "the fence counts only after it", limits: "from 0s"},
	"layers.cilium":                  {expected: "a section with selector", means: "global Services and a network policy ([cilium.md](cilium.md))"},
	"layers.cilium.selector":         {expected: "the labels of the objects that are the layer's, such as failover.openova.io/group=rtz-prod (not empty: that would be everything)"},
	"layers.cilium.namespaces":       {expected: "a list of namespaces, such as [shop], or none for all"},
	"layers.cilium.namespaces[]":     {expected: "the name of a namespace, a DNS label such as shop"},
	"layers.cnpg":                    {expected: "a section with selector", means: "Clusters of CloudNativePG ([databases.md](databases.md))"},
	"layers.cnpg.selector":           {expected: "the labels of the objects that are the layer's, such as failover.openova.io/group=rtz-prod (not empty: that would be everything)"},
	"layers.cnpg.namespaces":         {expected: "a list of namespaces, such as [shop], or none for all"},
	"layers.cnpg.namespaces[]":       {expected: "the name of a namespace, a DNS label such as shop"},
	"layers.strimzi":                 {expected: "a section with selector", means: "KafkaMirrorMaker2 that mirror into this cluster ([databases.md](databases.md))"},
	"layers.strimzi.selector":        {expected: "the labels of the objects that are the layer's, such as failover.openova.io/group=rtz-prod (not empty: that would be everything)"},
	"layers.strimzi.namespaces":      {expected: "a list of namespaces, such as [shop], or none for all"},
	"layers.strimzi.namespaces[]":    {expected: "the name of a namespace, a DNS label such as shop"},
	"layers.cilium.socket":           {expected: "the absolute path of the socket of this node's Cilium agent, such as /var/run/cilium/cilium.sock, or nothing not to ask it", means: "it says what is really denied"},
	"layers.cilium.static_policies":  {expected: "the absolute path of the directory of the Cilium agent's --static-cnp-path", means: "for the time when the API server is down"},
	"layers.cnpg.max_lag":            {expected: "a size with its unit (B, KiB, MiB, GiB, TiB), such as 16MiB: how much a promotion may lose without being asked"},

	"layers.hooks":            {expected: "a list of hooks, each with name, activate and fence", means: "your own programs, one after the other, furthest outside; run without a shell, with `FAILOVERD_GROUP`, `_REGION`, `_EPOCH`, `_ACTION`, `_REASON` and `_DEADLINE` (seconds left) set"},
	"layers.hooks[]":          {expected: "a hook: a section with name, activate and fence"},
	"layers.hooks[].name":     {expected: "the hook's name, a DNS label (lower-case letters, digits and -, at most 63) such as edge", limits: "none twice"},
	"layers.hooks[].activate": {expected: "a list: the absolute path of a program, then its arguments", means: "exit code 0: done; run again until it is. Killed with its children at its deadline"},
	"layers.hooks[].fence":    {expected: "a list: the absolute path of a program, then its arguments", means: "exit code 0: done, likewise"},
	"layers.hooks[].observe":  {expected: "a list: the absolute path of a program, then its arguments", means: "optional; prints `active` or `inactive`. With it a command counts only once this says so too"},

	"layers.hooks[].activate[]": {expected: "the absolute path of a program, or an argument of it"},
	"layers.hooks[].fence[]":    {expected: "the absolute path of a program, or an argument of it"},
	"layers.hooks[].observe[]":  {expected: "the absolute path of a program, or an argument of it"},

	"health":                 {expected: "a section with probes", means: "when the region is degraded and hands over ([health.md](health.md))"},
	"health.degraded_after":  {expected: "a duration such as 30s: how long one probe alone has to find something ill", limits: "above 0s"},
	"health.recovered_after": {expected: "a duration such as 5m: how long no probe may find anything ill", limits: "above 0s"},
	"health.max_handovers":   {expected: "a number such as 2: how often the region hands over for being degraded, within handover_window; 0 for never", limits: "from 0"},
	"health.handover_window": {expected: "a duration such as 1h", limits: "above 0s, unless `max_handovers` is 0"},

	"health.probes":                          {expected: "a list of probes, each with name and what it looks at", limits: "at least one, each with one thing that it looks at"},
	"health.probes[]":                        {expected: "a probe: a section with name and one of http, tcp, dns, kubernetes_nodes_ready, kubernetes_api_latency, gateway, cnpg, cilium and gpus_healthy"},
	"health.probes[].name":                   {expected: "the probe's name, a DNS label such as gateway", limits: "none twice"},
	"health.probes[].interval":               {expected: "a duration such as 5s: the time between looks", limits: "above 0s"},
	"health.probes[].timeout":                {expected: "a duration such as 2s, at most interval", limits: "above 0s"},
	"health.probes[].http":                   {expected: "a URL such as https://gw.fsn.example.com/healthz; below 400 is well"},
	"health.probes[].tcp":                    {expected: "a host and a port, such as db.example.com:5432"},
	"health.probes[].dns":                    {expected: "a name and the server to ask, such as shop.example.com@10.96.0.10:53"},
	"health.probes[].kubernetes_nodes_ready": {expected: "a percentage such as 60%: the share of nodes that has to be ready", limits: "at most 100%"},
	"health.probes[].kubernetes_api_latency": {expected: "a duration such as 1s, less than timeout: within what time the API server has to answer"},
	"health.probes[].gateway":                {expected: "a Gateway that has to be programmed, as namespace/name"},
	"health.probes[].cnpg":                   {expected: "a CloudNativePG Cluster that has to have a ready instance, as namespace/name"},
	"health.probes[].cilium":                 {expected: "the absolute path of the socket of this node's Cilium agent, such as /var/run/cilium/cilium.sock"},
	"health.probes[].gpus_healthy":           {expected: "a percentage such as 60%: the share of the GPUs that has to be healthy; the section gpu says how they are watched", limits: "at most 100%"},

	"gpu":                    {expected: "a section with enabled and source", means: "GPUs are watched, and pods leave those that fail ([gpu.md](gpu.md))"},
	"gpu.enabled":            {expected: "true or false, without quotes"},
	"gpu.source":             {expected: "dcgm, dcgm-exporter or none", means: "where readings come from"},
	"gpu.host_engine":        {expected: "the host and port of a DCGM host engine, such as localhost:5555, the absolute path of its socket, or nothing to run one in this process", limits: "only with `source: dcgm`"},
	"gpu.exporter":           {expected: "the URL of a dcgm-exporter's page, such as http://localhost:9400/metrics", means: "required with `source: dcgm-exporter`", limits: "only with that source"},
	"gpu.node":               {expected: "the name of the Kubernetes node that the GPUs are in, such as gpu-1, or nothing for this host's name"},
	"gpu.poll_interval":      {expected: "a duration such as 1s: the time between readings", limits: "100ms to 1m"},
	"gpu.evict":              {expected: "a section with keys such as max_priority: 1000", means: "pods leave GPUs that are unhealthy"},
	"gpu.evict.selector":     {expected: "the labels of the pods that may be evicted, such as tier=batch, or nothing for all that ask for a GPU"},
	"gpu.evict.max_priority": {expected: "a number such as 1000: pods of a higher priority are left", limits: "-1000000000 to 1000000000: what is above is the system's"},
	"gpu.evict.grace_period": {expected: "a duration such as 30s: how long a pod has to end", limits: "from 1s: Kubernetes takes less for at once"},
	"gpu.evict.budget":       {expected: "a number of GPUs such as 64: a node is not un-cordoned where pods could have more, or 0 for any number", limits: "from 0"},
	"gpu.evict.order":        {expected: "lowest-priority-first", means: "the only order"},

	"notifications":                                {expected: "a section with alertmanager or webhooks", means: "who is told of transitions and alarms ([notifications.md](notifications.md))"},
	"notifications.alertmanager":                   {expected: "a section with urls", means: "a cluster of Alertmanagers"},
	"notifications.alertmanager.urls":              {expected: "a list of all Alertmanagers of a cluster, such as [\"http://alertmanager-0:9093\", \"http://alertmanager-1:9093\"]", means: "each has to be told", limits: "none twice; `https` with a `ca_file`, and with a `bearer_token_file` unless it is loopback"},
	"notifications.alertmanager.urls[]":            {expected: "the URL of an Alertmanager, such as http://alertmanager-0:9093, without a user, a query or a fragment"},
	"notifications.alertmanager.ca_file":           {expected: "the absolute path of a file with the certificates of authorities, in PEM, or nothing for the system's"},
	"notifications.alertmanager.bearer_token_file": {expected: "the absolute path of a file that holds a token, or nothing to send none", limits: "mode 0600 or 0400, or of root's 0640 or 0440"},
	"notifications.webhooks":                       {expected: "a list of webhooks, each with name, url and secret_file", means: "each is told by a signed POST"},
	"notifications.webhooks[]":                     {expected: "a webhook: a section with name, url and secret_file"},
	"notifications.webhooks[].name":                {expected: "the webhook's name, a DNS label such as oncall", limits: "none twice"},
	"notifications.webhooks[].url":                 {expected: "a URL such as https://hooks.example.com/failoverd, without a user, a query or a fragment", limits: "`https` with a `ca_file`, and with a `bearer_token_file` unless it is loopback"},
	"notifications.webhooks[].secret_file":         {expected: "the absolute path of a file that holds whsec_ and the base64 of 24 to 64 random bytes", means: "what messages are signed with", limits: "mode 0600 or 0400, or of root's 0640 or 0440"},
	"notifications.webhooks[].ca_file":             {expected: "the absolute path of a file with the certificates of authorities, in PEM, or nothing for the system's"},
	"notifications.webhooks[].bearer_token_file":   {expected: "the absolute path of a file that holds a token, or nothing to send none", limits: "mode 0600 or 0400, or of root's 0640 or 0440"},

	"api.group":  {expected: "the name of a group of this host, such as failoverd-operators, or nothing", means: "its members may command the daemon over the socket, as root and the daemon's own user may; that user has to be root, or a member, for which the service needs a drop-in ([install.md](install.md#systemd))"},
	"api":        {expected: "a section with listen and socket", means: "where the daemon is asked and told"},
	"api.listen": {expected: "a host and a port, such as 127.0.0.1:9713", means: "the [status page](page.md), `/status`, `/metrics`, `/healthz`, `/readyz`; read-only, port 0 is another free port at each start"},
	"api.socket": {expected: "the absolute path of the control socket, such as /run/failoverd/failoverd.sock", means: "takes commands; other commands of failoverd find the daemon by it", limits: "at most 107 bytes"},
	"state_dir":  {expected: "the absolute path of a directory of the daemon's own", means: "authority that stands, history, the journal; locked, so no other daemon can use it"},
	"log":        {expected: "a section with level and format", means: "the log goes to standard error"},
	"log.level":  {expected: "trace, debug, info, warn or error"},
	"log.format": {expected: "text or json"},
}

var indexes = regexp.MustCompile(`\[[0-9]+\]`)

// want is what belongs at a path.
func want(path string) string {
	path = indexes.ReplaceAllString(path, "[]")
	if strings.HasPrefix(path, "identity.public_keys.") {
		path = "identity.public_keys.*"
	}
	if rest, ok := strings.CutPrefix(path, "witnesses[]."); ok && rest != "name" {
		path = "witness." + rest
	}
	return keys[path].expected
}

// maySecret reports whether what is written at a path by mistake may be a
// secret itself, which then must not reach a log.
func maySecret(path string) bool {
	return strings.HasSuffix(path, "_file") || strings.HasPrefix(path, "identity.public_keys")
}

// suggest returns the key that the unknown key at parent was probably meant to
// be, as a path, or "".
func suggest(parent, key string, siblings []string) string {
	norm := func(s string) string {
		return strings.ReplaceAll(strings.ToLower(s), "-", "_")
	}
	best, least := "", 1+min(3, len(key)/3)
	for _, s := range siblings {
		d := distance(norm(key), norm(s))
		if len(key) >= 4 && strings.HasPrefix(norm(s), norm(key)) {
			d = 1 // api_token for api_token_file
		}
		if d < least {
			best, least = s, d
		}
	}
	if best != "" {
		return join(parent, best)
	}
	var elsewhere []string // the right key at the wrong place
	for path := range keys {
		if path != key && strings.HasSuffix(path, "."+norm(key)) && !strings.Contains(path, "[]") {
			elsewhere = append(elsewhere, path)
		}
	}
	slices.Sort(elsewhere)
	if len(elsewhere) > 0 {
		return elsewhere[0]
	}
	return ""
}

// closest returns the value that a misspelled one was probably meant to be, or "".
func closest(value string, values []string) string {
	return suggest("", value, values)
}

// distance is how many letters must be inserted, deleted, replaced or swapped
// with their neighbour to make b of a (optimal string alignment).
func distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 64 // no key is this long; bounds the work on a hostile file
	}
	var d [65][65]int
	for i := range len(a) + 1 {
		for j := range len(b) + 1 {
			switch {
			case i == 0 || j == 0:
				d[i][j] = i + j
				continue
			case a[i-1] == b[j-1]:
				d[i][j] = d[i-1][j-1]
			default:
				d[i][j] = 1 + min(d[i-1][j-1], d[i-1][j], d[i][j-1])
			}
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d[i][j] = min(d[i][j], d[i-2][j-2]+1)
			}
		}
	}
	return d[len(a)][len(b)]
}
