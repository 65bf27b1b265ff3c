{{- /* What somebody should know of. The same sentences are in the table of reasons, where there is one. */ -}}
{{- define "failoverd.alerts" -}}
{{- $of := printf "failover_group=%q,failover_region=%q" .Values.config.group .Values.config.region -}}
{{- /* An instance that follows knows nothing of layers, witness and other regions. */ -}}
{{- $acts := ternary (printf " unless on(instance) failoverd_lease_state{%s,state=\"follower\"} == 1" $of) "" (eq (include "failoverd.instances" .) "several") -}}
- alert: FailoverdDown
  expr: absent(failoverd_build_info{ {{- $of -}} })
  for: 30s
  labels: {severity: critical}
  annotations:
    summary: {{ .Values.config.region }} has no agent
    description: Nothing fences the region, and nothing takes over for it. Its layers stay as they are.
{{- if include "failoverd.instances" . }}
- alert: FailoverdNobodyActs
  expr: min(failoverd_lease_state{ {{- $of -}} ,state="follower"}) == 1
  for: 30s
  labels: {severity: critical}
  annotations:
    summary: No instance of {{ .Values.config.region }} acts for it
    description: They choose one by a Lease, failoverd status says what keeps them. Nothing fences the region.
- alert: FailoverdOneInstance
  expr: count(failoverd_build_info{ {{- $of -}} }) == 1
  for: 5m
  labels: {severity: warning}
  annotations:
    summary: {{ .Values.config.region }} has one instance
    description: If that dies or freezes, no other one goes on.
{{- end }}
- alert: FailoverdSplitBrain
  expr: increase(failoverd_split_brain_detected_total{ {{- $of -}} }[10m]) > 0
  labels: {severity: critical}
  annotations:
    summary: Another region was active while {{ .Values.config.region }} held authority
    description: The witness is staler than witness.staleness says, or two agents run as one region. failoverd status says which.
- alert: FailoverdNobodyActive
  expr: max(failoverd_lease_state{ {{- $of -}} ,state="active"}) + max(failoverd_peer_state{ {{- $of -}} ,state="active"}) == 0
  for: 5m
  labels: {severity: critical}
  annotations:
    summary: No region of {{ .Values.config.group }} is known to be active
    description: failoverd explain says which gate is closed, and when it opens.
- alert: FailoverdLayersInactive
  expr: failoverd_layer_state{ {{- $of -}} ,state="active"} == 0 and on(instance) failoverd_lease_state{ {{- $of -}} ,state="active"} == 1
  for: 2m
  labels: {severity: critical}
  annotations:
    summary: {{ .Values.config.region }} is active, and its layer {{ "{{ $labels.layer }}" }} is not
    description: failoverd explain says what keeps it.
- alert: FailoverdLayersNotFenced
  expr: failoverd_layer_state{ {{- $of -}} ,state="inactive"} == 0 and on(instance) failoverd_lease_authority_remaining_seconds{ {{- $of -}} } == 0{{ $acts }}
  for: 2m
  labels: {severity: critical}
  annotations:
    summary: {{ .Values.config.region }} has no authority, and its layer {{ "{{ $labels.layer }}" }} is not known to be fenced
    description: failoverd explain says what keeps it. Another region may be active at the same time.
- alert: FailoverdWitnessDown
  expr: failoverd_witness_up{ {{- $of -}} } == 0{{ $acts }}
  for: 1m
  labels: {severity: warning}
  annotations:
    summary: {{ .Values.config.region }} does not reach the witness
    description: The active region goes on only while all others pledge to it.
- alert: FailoverdPeerSilent
  expr: failoverd_quorum_reached{ {{- $of -}} } == 0{{ $acts }}
  for: 5m
  labels: {severity: warning}
  annotations:
    summary: {{ .Values.config.region }} gets no answer from {{ "{{ $labels.peer }}" }} through the resolvers
    description: While that is so, an outage of the witness ends authority. failoverd check --live says where it fails.
- alert: FailoverdRegionDegraded
  expr: failoverd_region_degraded{ {{- $of -}} } == 1{{ $acts }}
  for: 1m
  labels: {severity: warning}
  annotations:
    summary: {{ .Values.config.region }} is degraded by {{ "{{ $labels.cause }}" }}
    description: It hands over where another region is better. failoverd status says what its probes see.
- alert: FailoverdGPUUnhealthy
  expr: failoverd_gpu_unhealthy{ {{- $of -}} } == 1
  for: 1m
  labels: {severity: warning}
  annotations:
    summary: GPU {{ "{{ $labels.gpu }}" }} of {{ .Values.config.region }} is unhealthy ({{ "{{ $labels.cause }}" }})
    description: failoverd status says what was seen, and docs/gpu.md what the cause means.
{{- end }}
