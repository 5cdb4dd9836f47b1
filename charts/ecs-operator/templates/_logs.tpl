{{- define "ecs-operator.logs.fullname" -}}
{{- include "ecs-operator.fullname" . }}-logs
{{- end -}}

{{- define "ecs-operator.logs.namespace" -}}
{{- default .Release.Namespace .Values.logs.namespace -}}
{{- end -}}

{{- define "ecs-operator.logs.image" -}}
{{- with .Values.logs.image -}}
{{- .repository }}:{{ .tag }}{{ with .digest }}@{{ . }}{{ end -}}
{{- end -}}
{{- end -}}

{{/* Labels that differ from those of the operator, whose selectors must not find the agent. */}}
{{- define "ecs-operator.logs.selectorLabels" -}}
app.kubernetes.io/name: {{ printf "%s-logs" (include "ecs-operator.name" . | trunc 58) }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "ecs-operator.logs.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/component: logs
{{ include "ecs-operator.logs.selectorLabels" . }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* The regions as a JSON list. */}}
{{- define "ecs-operator.logs.regions" -}}
{{- $regions := .Values.logs.regions -}}
{{- if and (not $regions) .Values.settings.awsRegion -}}
{{- $regions = list .Values.settings.awsRegion -}}
{{- end -}}
{{- if not $regions -}}
{{- fail "logs.agent needs logs.regions or settings.awsRegion" -}}
{{- end -}}
{{- toJson $regions -}}
{{- end -}}

{{/* The log files of the pods that the operator may have made. A name has the form POD_NAMESPACE_CONTAINER-ID.log. */}}
{{- define "ecs-operator.logs.files" -}}
{{- $files := list -}}
{{- range .Values.watchNamespaces -}}
{{- $files = append $files (printf "/var/log/containers/*_%s_*.log" .) -}}
{{- end -}}
{{- join "," (default (list "/var/log/containers/*.log") $files) -}}
{{- end -}}

{{/* The configuration of Fluent Bit. */}}
{{- define "ecs-operator.logs.config" -}}
{{- $logs := .Values.logs -}}
service:
  flush: 1
  # After SIGTERM, to send what has been read.
  grace: 20
  log_level: info
  http_server: on
  http_listen: ${POD_IP}
  http_port: 2020
  # The agent is not ready while this many requests fail within a minute.
  health_check: on
  hc_errors_count: 20
  hc_retry_failure_count: 20
  hc_period: 60
  # What has been read and not sent is on the disk, and in memory only as much as these allow.
  storage.path: /state/chunks
  storage.sync: normal
  storage.max_chunks_up: 32
  storage.backlog.mem_limit: 16M
  storage.delete_irrecoverable_chunks: on
  storage.metrics: on
  scheduler.base: 3
  scheduler.cap: 60
pipeline:
  inputs:
    - name: tail
      alias: containers
      tag: kube.*
      path: {{ include "ecs-operator.logs.files" . | quote }}
      exclude_path: {{ printf "/var/log/containers/%s-*_%s_*.log" (include "ecs-operator.logs.fullname" .) (include "ecs-operator.logs.namespace" .) | quote }}
      multiline.parser: cri
      # A file that is new while the agent runs, or was there before the agent, is sent from its first line.
      read_from_head: on
      # The files of a task that ends at once may be gone soon. The default is a minute.
      refresh_interval: 1
      rotate_wait: 60
      buffer_max_size: 256k
      skip_long_lines: on
      # Where reading stopped, so that a restart neither loses nor repeats lines.
      db: /state/tail.db
      db.locking: on
      storage.type: filesystem
  filters:
    - name: kubernetes
      alias: pods
      match: kube.*
      annotations: on
      labels: off
      merge_log: off
      # Annotations may be long, and by default a long answer is dropped.
      buffer_size: 0
      # A later pod of the same name has annotations of its own.
      cache_use_docker_id: on
      # Shorter than by default, so that the liveness probe does not end the wait for DNS.
      dns_retries: 6
      dns_wait_time: 5
    - name: lua
      alias: awslogs
      match: kube.*
      script: /config/awslogs.lua
      call: awslogs
  outputs:
{{- range $region := include "ecs-operator.logs.regions" . | fromJsonArray }}
{{- range $output := list "existing" "create" }}
    - name: cloudwatch_logs
      alias: {{ $region }}.{{ $output }}
      match: kube.*
      region: {{ $region }}
      # The plugin requires these two, and uses them only if a record lacks its names, which none does.
      log_group_name: ecs-operator
      log_stream_name: ecs-operator
      log_group_template: $group
      log_stream_template: $stream
      log_key: log
      auto_create_group: {{ eq $output "create" | ternary "on" "off" }}
      {{- if and $logs.retentionDays (eq $output "create") }}
      log_retention_days: {{ int64 $logs.retentionDays }}
      {{- end }}
      # A retry comes after 3 to 60 seconds.
      retry_limit: {{ mul 2 (int64 $logs.retryMinutes) }}
      storage.total_limit_size: {{ $logs.bufferSize }}
      processors:
        logs:
          - name: grep
            regex: output ^{{ $region }}\.{{ $output }}$
{{- end }}
{{- end }}
{{- end -}}
