{{/* What the operator may do with objects in namespaces: in a ClusterRole, or in a Role of each watched one. */}}
{{- define "ecs-operator.namespacedRules" -}}
# Users write these; the operator reads them, notes on tasks that they have begun, and removes finished ones after their
# time to live.
- apiGroups: [ecs-operator.dev]
  resources: [apprunnerservices, ecsclusters]
  verbs: [list, watch]
# A service of App Runner is a task definition and a service, which the operator makes, and which the garbage collector
# deletes. Before an object that is missing is made again, it is asked whether its service is still there.
- apiGroups: [ecs-operator.dev]
  resources: [ecstaskdefinitions, ecsservices]
  verbs: [get, list, watch, create, patch]
- apiGroups: [ecs-operator.dev]
  resources: [ecstasks]
  verbs: [get, list, watch, create, patch, delete]
# Pipes start tasks for messages.
- apiGroups: [ecs-operator.dev]
  resources: [ecspipes]
  verbs: [get, list, watch]
# Rules start tasks for events.
- apiGroups: [ecs-operator.dev]
  resources: [ecsrules]
  verbs: [get, list, watch]
# Schedules start tasks; one that will start nothing more can ask to be deleted.
- apiGroups: [ecs-operator.dev]
  resources: [ecsschedules]
  verbs: [get, list, watch, delete]
# Their status reports the result.
- apiGroups: [ecs-operator.dev]
  resources: [ecstaskdefinitions/status, ecsservices/status, ecstasks/status, ecsclusters/status, ecspipes/status, ecsrules/status, ecsschedules/status, apprunnerservices/status]
  verbs: [patch]
# A service that leaves its count to an autoscaler gets one to begin with.
- apiGroups: [ecs-operator.dev]
  resources: [ecsservices/scale]
  verbs: [patch]
# A service runs as one of these.
- apiGroups: [apps]
  resources: [deployments, daemonsets]
  verbs: [get, list, watch, create, patch, delete]
# The revisions of task definitions and services. What one holds is never changed, only what is said about it.
- apiGroups: [apps]
  resources: [controllerrevisions]
  verbs: [get, list, watch, create, patch, delete]
# What a service ran before an operator kept it: read once, when a rollback returns to it.
- apiGroups: [apps]
  resources: [replicasets]
  verbs: [list]
# Tasks of services that are over are replaced with regard to what has to stay healthy.
- apiGroups: [""]
  resources: [pods/eviction]
  verbs: [create]
# The pods of tasks, and what pods of services and tasks need: addresses, identities, settings, volumes. Not the
# Secrets: External Secrets makes those, and the operator never sees one.
- apiGroups: [""]
  resources: [pods, services, serviceaccounts, configmaps, persistentvolumeclaims]
  verbs: [get, list, watch, create, patch, delete]
# minimumHealthyPercent during the drain of a node.
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, list, watch, create, patch, delete]
# Scaling policies.
- apiGroups: [autoscaling]
  resources: [horizontalpodautoscalers]
  verbs: [get, list, watch, create, patch, delete]
# What tasks use, for scaling policies that the operator runs.
- apiGroups: [metrics.k8s.io]
  resources: [pods]
  verbs: [list]
{{- with .Values.settings.externalMetrics }}
{{- $names := list }}
{{- range $metric, $of := . }}
{{- $names = append $names (regexFind "^[^{]+" $of | trim) }}
{{- end }}
# The external metrics of the settings, for such policies too.
- apiGroups: [external.metrics.k8s.io]
  resources: [{{ $names | uniq | sortAlpha | join ", " }}]
  verbs: [list]
{{- end }}
# Load balancers and security groups.
- apiGroups: [networking.k8s.io]
  resources: [ingresses, networkpolicies]
  verbs: [get, list, watch, create, patch, delete]
# Add-on External Secrets: secrets from Secrets Manager and the Parameter Store.
- apiGroups: [external-secrets.io]
  resources: [externalsecrets, secretstores]
  verbs: [get, list, watch, create, patch, delete]
# The same for pull secrets of private ECR registries: what External Secrets makes their tokens with.
- apiGroups: [generators.external-secrets.io]
  resources: [ecrauthorizationtokens]
  verbs: [get, list, watch, create, patch, delete]
# Add-on KEDA: scaling by CloudWatch metrics and by schedule.
- apiGroups: [keda.sh]
  resources: [scaledobjects]
  verbs: [get, list, watch, create, patch, delete]
# Add-on AWS Load Balancer Controller, and its part in EKS Auto Mode: existing target groups.
- apiGroups: [elbv2.k8s.aws, eks.amazonaws.com]
  resources: [targetgroupbindings]
  verbs: [get, list, watch, create, patch, delete]
# Add-on security groups for pods.
- apiGroups: [vpcresources.k8s.aws]
  resources: [securitygrouppolicies]
  verbs: [get, list, watch, create, patch, delete]
# Add-on ACK for EKS: task roles by EKS Pod Identity.
- apiGroups: [eks.services.k8s.aws]
  resources: [podidentityassociations]
  verbs: [get, list, watch, create, patch, delete]
# Add-on CSI snapshots: volumes made from EBS snapshots.
- apiGroups: [snapshot.storage.k8s.io]
  resources: [volumesnapshots]
  verbs: [get, list, watch, create, patch, delete]
{{- if .Values.builders.kpack }}
# Images of kpack, which AppRunnerServices name in builtBy.
- apiGroups: [kpack.io]
  resources: [images]
  verbs: [get]
{{- end }}
{{- if .Values.builders.shipwright }}
# Builds of Shipwright, which AppRunnerServices name in builtBy, and their runs.
- apiGroups: [shipwright.io]
  resources: [builds]
  verbs: [get]
- apiGroups: [shipwright.io]
  resources: [buildruns]
  verbs: [get, list]
{{- end }}
# Events of the objects above.
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end -}}

{{/* What the operator may do with objects that are in no namespace. */}}
{{- define "ecs-operator.clusterRules" -}}
# What the specs of each namespace may use, and the labels of namespaces, which policies select.
- apiGroups: [ecs-operator.dev]
  resources: [ecspolicies]
  verbs: [list, watch]
- apiGroups: [""]
  resources: [namespaces]
  verbs: [list, watch]
# Where nodes come from. Only an operator that watches all namespaces knows what uses a capacity provider, and keeps one
# that is in use from being deleted.
- apiGroups: [ecs-operator.dev]
  resources: [ecscapacityproviders]
  verbs: [list, watch{{ if not .Values.watchNamespaces }}, patch{{ end }}]
{{- if not .Values.watchNamespaces }}
- apiGroups: [ecs-operator.dev]
  resources: [ecscapacityproviders/status]
  verbs: [patch]
{{- if .Values.capacityProviders.karpenter }}
# The nodes of capacity providers with kubernetes.karpenter. They are deleted before their capacity provider.
- apiGroups: [karpenter.sh]
  resources: [nodepools]
  verbs: [get, create, patch, delete]
{{- end }}
{{- end }}
# Volumes that exist outside of the cluster: file systems and disks made from snapshots.
- apiGroups: [""]
  resources: [persistentvolumes]
  verbs: [get, list, watch, create, patch, delete]
# The classes of volumes that are made for tasks. They are shared, so none is deleted.
- apiGroups: [storage.k8s.io]
  resources: [storageclasses]
  verbs: [get, list, watch, create, patch]
# EBS snapshots that exist outside of the cluster. Several services may use one, so none is deleted.
- apiGroups: [snapshot.storage.k8s.io]
  resources: [volumesnapshotcontents]
  verbs: [get, list, watch, create, patch]
{{- end -}}
