{{- define "rewardflow.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 50 | trimSuffix "-" }}
{{- end }}

{{- define "rewardflow.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" }}
{{- else if contains (include "rewardflow.name" .) .Release.Name }}
{{- .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "rewardflow.name" .) | trunc 50 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "rewardflow.selector" -}}
app.kubernetes.io/name: {{ include "rewardflow.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "rewardflow.labels" -}}
{{ include "rewardflow.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
app.kubernetes.io/part-of: rewardflow
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "rewardflow.serviceAccount" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "rewardflow.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "rewardflow.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end }}
{{- end }}

{{- define "rewardflow.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "rewardflow.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{- /* What each container is told. The worker controller adds where Temporal is by itself. */ -}}
{{- define "rewardflow.env" -}}
- {name: REWARDFLOW_CONFIG, value: /etc/rewardflow/rewardflow.yaml}
- {name: REWARDFLOW_LISTEN, value: ":8080"}
- {name: REWARDFLOW_DATA_DIR, value: /var/lib/rewardflow}
{{- range $name, $key := .root.Values.secretFiles }}
- {name: {{ $name }}_FILE, value: /run/secrets/rewardflow/{{ $key }}}
{{- end }}
{{- if not .controlled }}
- {name: TEMPORAL_ADDRESS, value: {{ .root.Values.temporal.address | quote }}}
- {name: TEMPORAL_NAMESPACE, value: {{ .root.Values.temporal.namespace | quote }}}
{{- with .root.Values.temporal.apiKeySecret }}
- name: TEMPORAL_API_KEY
  valueFrom: {secretKeyRef: {name: {{ . }}, key: api-key}}
{{- end }}
{{- if .root.Values.temporal.tlsSecret }}
- {name: TEMPORAL_TLS_CLIENT_CERT_PATH, value: /run/secrets/temporal/tls.crt}
- {name: TEMPORAL_TLS_CLIENT_KEY_PATH, value: /run/secrets/temporal/tls.key}
{{- else if .root.Values.temporal.tls }}
- {name: TEMPORAL_TLS, value: "true"}
{{- end }}
{{- end }}
{{- if and (eq .component "worker") .root.Values.serviceMonitor.enabled }}
- {name: REWARDFLOW_METRICS_LISTEN, value: ":9464"}
{{- end }}
{{- with .root.Values.temporal.uiURL }}
- {name: TEMPORAL_UI_URL, value: {{ . | quote }}}
{{- end }}
{{- with .root.Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "rewardflow.mounts" -}}
- {name: config, mountPath: /etc/rewardflow, readOnly: true}
- {name: secrets, mountPath: /run/secrets/rewardflow, readOnly: true}
- {name: data, mountPath: /var/lib/rewardflow}
{{- if and .root.Values.temporal.tlsSecret (not .controlled) }}
- {name: temporal-tls, mountPath: /run/secrets/temporal, readOnly: true}
{{- end }}
{{- end }}

{{- define "rewardflow.volumes" -}}
- name: config
  configMap: {name: {{ .config }}}
- name: secrets
  secret:
    secretName: {{ required "existingSecret: name the Secret that holds the database's URL and FirstPromoter's keys; docs/kubernetes.md" .root.Values.existingSecret }}
    defaultMode: 0440
    items:
      {{- range $name, $key := .root.Values.secretFiles }}
      - {key: {{ $key }}, path: {{ $key }}}
      {{- end }}
- name: data
  {{- if and .spool .root.Values.api.spool.existingClaim }}
  persistentVolumeClaim: {claimName: {{ .root.Values.api.spool.existingClaim }}}
  {{- else }}
  emptyDir: {sizeLimit: {{ .root.Values.api.spool.sizeLimit }}}
  {{- end }}
{{- if and .root.Values.temporal.tlsSecret (not .controlled) }}
- name: temporal-tls
  secret: {secretName: {{ .root.Values.temporal.tlsSecret }}, defaultMode: 0440}
{{- end }}
{{- end }}

{{- /* A pod of the API or of the worker. */ -}}
{{- define "rewardflow.pod" -}}
{{- $values := index .root.Values .component -}}
metadata:
  labels:
    {{- include "rewardflow.labels" . | nindent 4 }}
  annotations:
    checksum/config: {{ toYaml .root.Values.config | sha256sum }}
    {{- with $values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "rewardflow.serviceAccount" .root }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  {{- with .root.Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  securityContext:
    {{- include "rewardflow.podSecurity" . | nindent 4 }}
  terminationGracePeriodSeconds: {{ $values.terminationGracePeriodSeconds }}
  topologySpreadConstraints:
    - maxSkew: 1
      topologyKey: kubernetes.io/hostname
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "rewardflow.selector" . | nindent 10 }}
  containers:
    - name: {{ .component }}
      image: {{ include "rewardflow.image" .root }}
      imagePullPolicy: {{ .root.Values.image.pullPolicy }}
      args: [{{ .component }}]
      securityContext:
        {{- include "rewardflow.containerSecurity" . | nindent 8 }}
      env:
        {{- include "rewardflow.env" . | nindent 8 }}
      {{- if eq .component "api" }}
      ports:
        - {name: http, containerPort: 8080}
      # Alive is not ready: a pod whose database is away must not be restarted.
      livenessProbe:
        httpGet: {path: /livez, port: http}
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 6
      readinessProbe:
        httpGet: {path: /readyz, port: http}
        periodSeconds: 2
        timeoutSeconds: 5
        failureThreshold: 2
      startupProbe:
        httpGet: {path: /livez, port: http}
        periodSeconds: 2
        failureThreshold: 60
      {{- else }}
      {{- if .root.Values.serviceMonitor.enabled }}
      ports:
        - {name: metrics, containerPort: 9464}
      {{- end }}
      # It takes no requests but those for its metrics. There is no liveness probe: a worker that cannot reach
      # Temporal goes on trying, and a restart would not help it.
      readinessProbe:
        exec: {command: [/rewardflow, healthcheck, --worker]}
        periodSeconds: 15
        timeoutSeconds: 6
        failureThreshold: 4
      {{- end }}
      resources:
        {{- toYaml $values.resources | nindent 8 }}
      volumeMounts:
        {{- include "rewardflow.mounts" . | nindent 8 }}
  volumes:
    {{- include "rewardflow.volumes" (merge (dict "config" (include "rewardflow.fullname" .root) "spool" (eq .component "api")) .) | nindent 4 }}
  {{- with $values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}

{{- define "rewardflow.budget" -}}
{{- $values := index .root.Values .component -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ include "rewardflow.fullname" .root }}-{{ .component }}
  labels:
    {{- include "rewardflow.labels" . | nindent 4 }}
spec:
  maxUnavailable: {{ $values.podDisruptionBudget.maxUnavailable }}
  selector:
    matchLabels:
      {{- include "rewardflow.selector" . | nindent 6 }}
{{- end }}
