{{- define "failoverd.name" -}}
{{- if contains "failoverd" .Release.Name }}{{ .Release.Name | trunc 63 | trimSuffix "-" }}{{ else }}{{ printf "%s-failoverd" .Release.Name | trunc 63 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "failoverd.selector" -}}
app.kubernetes.io/name: failoverd
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{- define "failoverd.labels" -}}
{{ include "failoverd.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- /* failoverd.yaml: what the user says, and what only the chart knows. */ -}}
{{- define "failoverd.config" -}}
{{- $c := deepCopy .Values.config -}}
{{- $c = mergeOverwrite (dict "kubernetes" (dict "namespace" .Release.Namespace) "log" (dict "format" "json")) $c -}}
{{- $c = mergeOverwrite $c (dict
      "api" (dict "listen" ":9713" "socket" "/run/failoverd/failoverd.sock")
      "state_dir" "/var/lib/failoverd/state"
      "identity" (dict "private_key_file" "/var/run/secrets/failoverd/region.key")) -}}
{{- range concat (list $c.witness | compact) ($c.witnesses | default list) -}}
{{- if eq .type "cloudflare-kv" -}}
{{- $_ := merge . (dict "cloudflare_kv" (dict "api_token_file" "/var/run/secrets/failoverd/cloudflare-token")) -}}
{{- end -}}
{{- end -}}
{{- if and (hasKey $c "instances") $c.quorum -}}
{{- $c = mergeOverwrite $c (dict "instances" (dict "dns_service" (printf "%s-dns" (include "failoverd.name" .)))) -}}
{{- end -}}
{{- if $c.gpu -}}
{{- $c = mergeOverwrite (dict "gpu" (dict "node" .Values.node)) $c -}}
{{- end -}}
{{- if ($c.layers).cilium -}}
{{- $c = mergeOverwrite $c (dict "layers" (dict "cilium" (dict "socket" (ternary "/var/run/cilium/cilium.sock" "" .Values.ciliumSocket)))) -}}
{{- end -}}
{{- toYaml $c -}}
{{- end }}

{{- /* Not empty if the region has several agents. */ -}}
{{- define "failoverd.instances" -}}
{{- if hasKey .Values.config "instances" }}several{{ end }}
{{- end }}

{{- /* The port that the region's DNS server listens on. */ -}}
{{- define "failoverd.dnsPort" -}}
{{- regexFind "[0-9]+$" (.Values.config.quorum.listen | default ":5353") -}}
{{- end }}

{{- /* The namespace of the Service for questions: that of the pods it selects, or, of several agents, where they may write its EndpointSlice. */ -}}
{{- define "failoverd.dnsNamespace" -}}
{{- if include "failoverd.instances" . }}{{ (include "failoverd.config" . | fromYaml).kubernetes.namespace }}{{ else }}{{ .Release.Namespace }}{{ end }}
{{- end }}

{{- /* Of what a pod needs until it has ended. Helm deletes all of a release at once, and waits for no pod to have fenced. */ -}}
{{- define "failoverd.kept" -}}
helm.sh/resource-policy: keep
{{- end }}

{{- /* Of the agent's pods, and of those that fence in its place. */ -}}
{{- define "failoverd.pod" -}}
{{- with .Values.tolerations -}}
tolerations:
  {{- toYaml . | nindent 2 }}
{{ end }}
{{- with .Values.imagePullSecrets -}}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{ end }}
{{- with .Values.priorityClassName -}}
priorityClassName: {{ . | quote }}
{{- end }}
{{- end }}

{{- /* Whom a pod runs as. */ -}}
{{- define "failoverd.user" -}}
{{- if .root -}}
# What is the node's is root's: the socket, and the folder that the kubelet makes for the state. No capability comes with it.
runAsUser: 0
runAsGroup: 0
{{- else -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
{{- end }}
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "failoverd.container" -}}
image: "{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}"
imagePullPolicy: {{ .Values.image.pullPolicy }}
resources:
  {{- toYaml .Values.resources | nindent 2 }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end }}

{{- define "failoverd.mounts" -}}
- {name: config, mountPath: /etc/failoverd, readOnly: true}
- {name: secret, mountPath: /var/run/secrets/failoverd, readOnly: true}
- {name: state, mountPath: /var/lib/failoverd}
- {name: run, mountPath: /run/failoverd}
{{- if .Values.ciliumSocket }}
- {name: cilium, mountPath: /var/run/cilium, readOnly: true}
{{- end }}
{{- end }}

{{- define "failoverd.volumes" -}}
- name: config
  configMap: {name: {{ include "failoverd.name" . }}}
- name: run
  emptyDir: {medium: Memory, sizeLimit: 1Mi}
{{- if .Values.ciliumSocket }}
- name: cilium
  hostPath: {path: /var/run/cilium, type: Directory}
{{- end }}
{{- end }}
