//! What some fields become, to the letter. A test converts each of them.

use crate::fields::{Api, Example};

/// The examples of a request's fields.
pub(in crate::fields) static EXAMPLES: &[Example] = &[
    Example {
        api: Api::TaskDefinition,
        paths: &["taskRoleArn"],
        request: r#"{"taskRoleArn": "arn:aws:iam::123456789012:role/web"}"#,
        gives: r"
eks.amazonaws.com/role-arn: arn:aws:iam::123456789012:role/web
serviceAccountName: ecs-web-57943afa
",
    },
    Example {
        api: Api::TaskDefinition,
        paths: &["networkMode"],
        request: r#"{"networkMode": "host"}"#,
        gives: r"
hostNetwork: true
dnsPolicy: ClusterFirstWithHostNet
",
    },
    Example {
        api: Api::TaskDefinition,
        paths: &[
            "containerDefinitions[].cpu",
            "containerDefinitions[].memory",
            "containerDefinitions[].memoryReservation",
        ],
        request: r#"{"containerDefinitions": [{"cpu": 256, "memory": 512, "memoryReservation": 256}]}"#,
        gives: r"
resources:
  limits:
    memory: 512Mi
  requests:
    cpu: 250m
    memory: 256Mi
",
    },
    Example {
        api: Api::TaskDefinition,
        paths: &["containerDefinitions[].links"],
        request: r#"{"networkMode": "bridge", "containerDefinitions": [{"links": ["cache:redis"]}, {"name": "cache", "image": "redis:8"}]}"#,
        gives: r#"
hostAliases:
- hostnames:
  - redis
  ip: "127.0.0.1"
initContainers:
- name: cache
  image: redis:8
  imagePullPolicy: Always
  resources:
    limits:
      memory: 512Mi
    requests:
      memory: 512Mi
  restartPolicy: Always
"#,
    },
    Example {
        api: Api::TaskDefinition,
        paths: &[
            "containerDefinitions[].portMappings[].containerPort",
            "containerDefinitions[].portMappings[].protocol",
            "containerDefinitions[].portMappings[].name",
        ],
        request: r#"{"containerDefinitions": [{"portMappings": [{"containerPort": 8080, "protocol": "tcp", "name": "http"}]}]}"#,
        gives: r"
ports:
- name: http
  containerPort: 8080
  protocol: TCP
ports:
- name: p8080-tcp
  port: 8080
  protocol: TCP
  targetPort: 8080
",
    },
    Example {
        api: Api::TaskDefinition,
        paths: &["containerDefinitions[].restartPolicy"],
        request: r#"{"containerDefinitions": [{"restartPolicy": {"enabled": true, "ignoredExitCodes": [0]}}]}"#,
        gives: r"
restartPolicy: Never
restartPolicyRules:
- action: Restart
  exitCodes:
    operator: NotIn
    values:
    - 0
",
    },
    Example {
        api: Api::TaskDefinition,
        paths: &[
            "containerDefinitions[].command",
            "containerDefinitions[].entryPoint",
        ],
        request: r#"{"containerDefinitions": [{"entryPoint": ["sh", "-c"], "command": ["exec nginx -g \"$OPTIONS\""]}]}"#,
        gives: r#"
command:
- sh
- -c
args:
- exec nginx -g "$OPTIONS"
"#,
    },
    Example {
        api: Api::TaskDefinition,
        paths: &["containerDefinitions[].environment"],
        request: r#"{"containerDefinitions": [{"environment": [{"name": "STAGE", "value": "prod"}]}]}"#,
        gives: r"
env:
- name: STAGE
  value: prod
",
    },
    Example {
        api: Api::TaskDefinition,
        paths: &[
            "containerDefinitions[].mountPoints",
            "volumes[].name",
            "volumes[].host",
        ],
        request: r#"{"containerDefinitions": [{"mountPoints": [{"sourceVolume": "data", "containerPath": "/data", "readOnly": true}]}], "volumes": [{"name": "data", "host": {"sourcePath": "/srv/data"}}]}"#,
        gives: r"
volumeMounts:
- name: data
  mountPath: /data
  readOnly: true
volumes:
- name: data
  hostPath:
    path: /srv/data
",
    },
    Example {
        api: Api::TaskDefinition,
        paths: &["containerDefinitions[].linuxParameters.capabilities"],
        request: r#"{"containerDefinitions": [{"linuxParameters": {"capabilities": {"add": ["NET_ADMIN"], "drop": ["MKNOD"]}}}]}"#,
        gives: r"
securityContext:
  capabilities:
    add:
    - NET_ADMIN
    drop:
    - MKNOD
",
    },
    Example {
        api: Api::TaskDefinition,
        paths: &["containerDefinitions[].linuxParameters.initProcessEnabled"],
        request: r#"{"containerDefinitions": [{"linuxParameters": {"initProcessEnabled": true}}]}"#,
        gives: r"
shareProcessNamespace: true
",
    },
    Example {
        api: Api::TaskDefinition,
        paths: &["containerDefinitions[].linuxParameters.sharedMemorySize"],
        request: r#"{"containerDefinitions": [{"linuxParameters": {"sharedMemorySize": 128}}]}"#,
        gives: r"
volumeMounts:
- name: web-shm
  mountPath: /dev/shm
volumes:
- name: web-shm
  emptyDir:
    medium: Memory
    sizeLimit: 128Mi
",
    },
    Example {
        api: Api::TaskDefinition,
        paths: &[
            "containerDefinitions[].linuxParameters.tmpfs[].containerPath",
            "containerDefinitions[].linuxParameters.tmpfs[].size",
        ],
        request: r#"{"containerDefinitions": [{"linuxParameters": {"tmpfs": [{"containerPath": "/run", "size": 64}]}}]}"#,
        gives: r"
volumeMounts:
- name: web-tmpfs-0
  mountPath: /run
volumes:
- name: web-tmpfs-0
  emptyDir:
    medium: Memory
    sizeLimit: 64Mi
",
    },
    Example {
        api: Api::TaskDefinition,
        paths: &["containerDefinitions[].secrets"],
        request: r#"{"executionRoleArn": "arn:aws:iam::123456789012:role/pull", "containerDefinitions": [{"secrets": [{"name": "PASSWORD", "valueFrom": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-AbCdEf:password::"}]}]}"#,
        gives: r"
env:
- name: PASSWORD
  valueFrom:
    secretKeyRef:
      name: web-secrets-5eb85fe9
      key: web.PASSWORD
data:
- remoteRef:
    key: arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-AbCdEf
    property: password
  secretKey: web.PASSWORD
",
    },
    Example {
        api: Api::TaskDefinition,
        paths: &["containerDefinitions[].dependsOn"],
        request: r#"{"containerDefinitions": [{"name": "web", "dependsOn": [{"containerName": "migrate", "condition": "SUCCESS"}]}, {"name": "migrate", "image": "web:1.4", "essential": false}]}"#,
        gives: r"
initContainers:
- name: migrate
  image: web:1.4
  imagePullPolicy: Always
  resources:
    limits:
      memory: 512Mi
    requests:
      memory: 512Mi
",
    },
    Example {
        api: Api::TaskDefinition,
        paths: &["containerDefinitions[].stopTimeout"],
        request: r#"{"containerDefinitions": [{"stopTimeout": 60}]}"#,
        gives: r"
terminationGracePeriodSeconds: 60
",
    },
    Example {
        api: Api::TaskDefinition,
        paths: &["containerDefinitions[].user"],
        request: r#"{"containerDefinitions": [{"user": "1000:1000"}]}"#,
        gives: r"
securityContext:
  runAsGroup: 1000
  runAsUser: 1000
",
    },
    Example {
        api: Api::TaskDefinition,
        paths: &[
            "containerDefinitions[].dnsServers",
            "containerDefinitions[].dnsSearchDomains",
        ],
        request: r#"{"networkMode": "bridge", "containerDefinitions": [{"dnsServers": ["10.0.0.2"], "dnsSearchDomains": ["corp.example"]}]}"#,
        gives: r#"
dnsConfig:
  nameservers:
  - "10.0.0.2"
  searches:
  - corp.example
dnsPolicy: None
"#,
    },
    Example {
        api: Api::TaskDefinition,
        paths: &["containerDefinitions[].extraHosts"],
        request: r#"{"networkMode": "bridge", "containerDefinitions": [{"extraHosts": [{"hostname": "db", "ipAddress": "10.0.0.9"}]}]}"#,
        gives: r#"
hostAliases:
- hostnames:
  - db
  ip: "10.0.0.9"
"#,
    },
    Example {
        api: Api::TaskDefinition,
        paths: &["containerDefinitions[].dockerLabels"],
        request: r#"{"containerDefinitions": [{"dockerLabels": {"team": "shop"}}]}"#,
        gives: r#"
ecs-operator.dev/docker-labels: "{\"web\":{\"team\":\"shop\"}}"
"#,
    },
    Example {
        api: Api::TaskDefinition,
        paths: &["containerDefinitions[].ulimits"],
        request: r#"{"containerDefinitions": [{"ulimits": [{"name": "nofile", "softLimit": 65536, "hardLimit": 65536}]}]}"#,
        gives: r"
ulimits.noderesource.dev/container.web: |
  - type: RLIMIT_NOFILE
    soft: 65536
    hard: 65536
",
    },
    Example {
        api: Api::TaskDefinition,
        paths: &[
            "containerDefinitions[].logConfiguration.logDriver",
            "containerDefinitions[].logConfiguration.options",
        ],
        request: r#"{"containerDefinitions": [{"logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "/ecs/web", "awslogs-region": "eu-west-1"}}}]}"#,
        gives: r#"
ecs-operator.dev/log-configuration: "{\"web\":{\"logDriver\":\"awslogs\",\"options\":{\"awslogs-group\":\"/ecs/web\",\"awslogs-region\":\"eu-west-1\"}}}"
"#,
    },
    Example {
        api: Api::TaskDefinition,
        paths: &["containerDefinitions[].healthCheck"],
        request: r#"{"containerDefinitions": [{"healthCheck": {"command": ["CMD-SHELL", "curl -f http://localhost/"], "interval": 10, "timeout": 5, "retries": 3, "startPeriod": 60}}]}"#,
        gives: r"
startupProbe:
  exec:
    command:
    - /bin/sh
    - -c
    - curl -f http://localhost/
  failureThreshold: 9
  periodSeconds: 10
  timeoutSeconds: 5
livenessProbe:
  exec:
    command:
    - /bin/sh
    - -c
    - curl -f http://localhost/
  failureThreshold: 3
  periodSeconds: 10
  timeoutSeconds: 5
",
    },
    Example {
        api: Api::TaskDefinition,
        paths: &["containerDefinitions[].systemControls"],
        request: r#"{"containerDefinitions": [{"systemControls": [{"namespace": "net.ipv4.tcp_keepalive_time", "value": "500"}]}]}"#,
        gives: r#"
securityContext:
  seccompProfile:
    type: RuntimeDefault
  sysctls:
  - name: net.ipv4.tcp_keepalive_time
    value: "500"
"#,
    },
    Example {
        api: Api::TaskDefinition,
        paths: &[
            "containerDefinitions[].resourceRequirements[].type",
            "containerDefinitions[].resourceRequirements[].value",
        ],
        request: r#"{"containerDefinitions": [{"resourceRequirements": [{"type": "GPU", "value": "1"}]}]}"#,
        gives: r#"
resources:
  limits:
    memory: 512Mi
    nvidia.com/gpu: "1"
  requests:
    memory: 512Mi
"#,
    },
    Example {
        api: Api::TaskDefinition,
        paths: &[
            "volumes[].dockerVolumeConfiguration.scope",
            "volumes[].dockerVolumeConfiguration.autoprovision",
        ],
        request: r#"{"containerDefinitions": [{"mountPoints": [{"sourceVolume": "data", "containerPath": "/data"}]}], "volumes": [{"name": "data", "dockerVolumeConfiguration": {"scope": "shared", "autoprovision": true}}]}"#,
        gives: r"
volumes:
- name: data
  hostPath:
    path: /var/lib/ecs-operator/volumes/data
    type: DirectoryOrCreate
",
    },
    Example {
        api: Api::TaskDefinition,
        paths: &[
            "volumes[].efsVolumeConfiguration.fileSystemId",
            "volumes[].efsVolumeConfiguration.transitEncryption",
            "volumes[].efsVolumeConfiguration.authorizationConfig.accessPointId",
        ],
        request: r#"{"containerDefinitions": [{"mountPoints": [{"sourceVolume": "data", "containerPath": "/data"}]}], "volumes": [{"name": "data", "efsVolumeConfiguration": {"fileSystemId": "fs-0123456789abcdef0", "transitEncryption": "ENABLED", "authorizationConfig": {"accessPointId": "fsap-0123456789abcdef0"}}}]}"#,
        gives: r#"
csi:
  driver: efs.csi.aws.com
  volumeAttributes:
    encryptInTransit: "true"
  volumeHandle: fs-0123456789abcdef0::fsap-0123456789abcdef0
volumes:
- name: data
  persistentVolumeClaim:
    claimName: efs-996d6d5913
"#,
    },
    Example {
        api: Api::TaskDefinition,
        paths: &["placementConstraints"],
        request: r#"{"placementConstraints": [{"type": "memberOf", "expression": "attribute:ecs.instance-type == g4dn.xlarge"}]}"#,
        gives: r"
affinity:
  nodeAffinity:
    requiredDuringSchedulingIgnoredDuringExecution:
      nodeSelectorTerms:
      - matchExpressions:
        - key: node.kubernetes.io/instance-type
          operator: In
          values:
          - g4dn.xlarge
",
    },
    Example {
        api: Api::TaskDefinition,
        paths: &["cpu", "memory"],
        request: r#"{"requiresCompatibilities": ["FARGATE"], "networkMode": "awsvpc", "cpu": "256", "memory": "512"}"#,
        gives: r"
resources:
  limits:
    cpu: 250m
    memory: 512Mi
  requests:
    cpu: 250m
    memory: 512Mi
",
    },
    Example {
        api: Api::TaskDefinition,
        paths: &["pidMode"],
        request: r#"{"pidMode": "task"}"#,
        gives: r"
shareProcessNamespace: true
",
    },
    Example {
        api: Api::TaskDefinition,
        paths: &["ephemeralStorage"],
        request: r#"{"requiresCompatibilities": ["FARGATE"], "networkMode": "awsvpc", "cpu": "256", "memory": "512", "ephemeralStorage": {"sizeInGiB": 40}}"#,
        gives: r"
resources:
  limits:
    ephemeral-storage: 40Gi
    memory: 512Mi
  requests:
    ephemeral-storage: 40Gi
    memory: 512Mi
",
    },
    Example {
        api: Api::TaskDefinition,
        paths: &["runtimePlatform"],
        request: r#"{"runtimePlatform": {"cpuArchitecture": "ARM64", "operatingSystemFamily": "LINUX"}}"#,
        gives: r"
nodeSelector:
  kubernetes.io/arch: arm64
  kubernetes.io/os: linux
",
    },
    Example {
        api: Api::Service,
        paths: &["desiredCount"],
        request: r#"{"desiredCount": 4}"#,
        gives: r"
replicas: 4
strategy:
  rollingUpdate:
    maxSurge: 4
    maxUnavailable: 0
  type: RollingUpdate
",
    },
    Example {
        api: Api::Service,
        paths: &[
            "loadBalancers[].targetGroupArn",
            "loadBalancers[].containerName",
            "loadBalancers[].containerPort",
        ],
        request: r#"{"loadBalancers": [{"targetGroupArn": "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/web/943f017f100becff", "containerName": "web", "containerPort": 80}]}"#,
        gives: r"
spec:
  multiClusterTargetGroup: true
  serviceRef:
    name: web
    port: 80
  targetGroupARN: >-
    arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/web/943f017f100becff
",
    },
    Example {
        api: Api::Service,
        paths: &[
            "deploymentConfiguration.maximumPercent",
            "deploymentConfiguration.minimumHealthyPercent",
        ],
        request: r#"{"desiredCount": 4, "deploymentConfiguration": {"minimumHealthyPercent": 50, "maximumPercent": 100}}"#,
        gives: r"
strategy:
  rollingUpdate:
    maxSurge: 0
    maxUnavailable: 2
  type: RollingUpdate
spec:
  minAvailable: 50%
  selector:
    matchLabels:
      ecs-operator.dev/service: web
  unhealthyPodEvictionPolicy: AlwaysAllow
",
    },
    Example {
        api: Api::Service,
        paths: &["placementStrategy"],
        request: r#"{"placementStrategy": [{"type": "spread", "field": "attribute:ecs.availability-zone"}]}"#,
        gives: r"
topologySpreadConstraints:
- labelSelector:
    matchLabels:
      ecs-operator.dev/service: web
  matchLabelKeys:
  - pod-template-hash
  maxSkew: 1
  topologyKey: topology.kubernetes.io/zone
  whenUnsatisfiable: ScheduleAnyway
",
    },
    Example {
        api: Api::Service,
        paths: &["networkConfiguration.awsvpcConfiguration.securityGroups"],
        request: r#"{"networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-1"], "securityGroups": ["sg-0123456789abcdef0"]}}}"#,
        gives: r"
spec:
  podSelector:
    matchLabels:
      ecs-operator.dev/service: web
  securityGroups:
    groupIds:
    - sg-0123456789abcdef0
",
    },
    Example {
        api: Api::Service,
        paths: &["schedulingStrategy"],
        request: r#"{"schedulingStrategy": "DAEMON", "desiredCount": null}"#,
        gives: r"
kind: DaemonSet
updateStrategy:
  rollingUpdate:
    maxSurge: 0
    maxUnavailable: 100%
  type: RollingUpdate
",
    },
    Example {
        api: Api::Service,
        paths: &[
            "serviceConnectConfiguration.enabled",
            "serviceConnectConfiguration.namespace",
            "serviceConnectConfiguration.services[].portName",
            "serviceConnectConfiguration.services[].discoveryName",
            "serviceConnectConfiguration.services[].clientAliases[].port",
            "serviceConnectConfiguration.services[].clientAliases[].dnsName",
        ],
        request: r#"{"serviceConnectConfiguration": {"enabled": true, "namespace": "shop", "services": [{"portName": "http", "discoveryName": "web", "clientAliases": [{"port": 80, "dnsName": "web"}]}]}}"#,
        gives: r"
spec:
  ports:
  - name: http
    port: 80
    protocol: TCP
    targetPort: 80
  selector:
    ecs-operator.dev/service: web
  type: ClusterIP
",
    },
    Example {
        api: Api::Service,
        paths: &[
            "serviceRegistries[].registryArn",
            "serviceRegistries[].containerName",
            "serviceRegistries[].containerPort",
        ],
        request: r#"{"serviceRegistries": [{"registryArn": "arn:aws:servicediscovery:eu-west-1:123456789012:service/srv-0123456789abcdef0", "containerName": "web", "containerPort": 80}]}"#,
        gives: r"
name: web-discovery
spec:
  clusterIP: None
  ports:
  - name: p80-tcp
    port: 80
    protocol: TCP
    targetPort: 80
  publishNotReadyAddresses: false
  selector:
    ecs-operator.dev/service: web
  type: ClusterIP
",
    },
    Example {
        api: Api::Service,
        paths: &[
            "volumeConfigurations[].name",
            "volumeConfigurations[].managedEBSVolume.sizeInGiB",
            "volumeConfigurations[].managedEBSVolume.volumeType",
        ],
        request: r#"{"volumeConfigurations": [{"name": "data", "managedEBSVolume": {"sizeInGiB": 20, "volumeType": "gp3", "roleArn": "arn:aws:iam::123456789012:role/ecsInfrastructureRole"}}]}"#,
        gives: r"
volumes:
- name: data
  ephemeral:
    volumeClaimTemplate:
      metadata:
        labels:
          ecs-operator.dev/service: web
      spec:
        accessModes:
        - ReadWriteOncePod
        resources:
          requests:
            storage: 20Gi
        storageClassName: ecs-ebs-5cd3703c20
",
    },
    Example {
        api: Api::Task,
        paths: &[
            "overrides.containerOverrides[].name",
            "overrides.containerOverrides[].command",
            "overrides.containerOverrides[].environment",
        ],
        request: r#"{"overrides": {"containerOverrides": [{"name": "web", "command": ["nginx", "-t"], "environment": [{"name": "STAGE", "value": "test"}]}]}}"#,
        gives: r"
args:
- nginx
- -t
env:
- name: STAGE
  value: test
",
    },
    Example {
        api: Api::ScalableTarget,
        paths: &["MinCapacity", "MaxCapacity"],
        request: r#"{"MinCapacity": 2, "MaxCapacity": 10}"#,
        gives: r"
minReplicas: 2
maxReplicas: 10
",
    },
    Example {
        api: Api::ScalableTarget,
        paths: &["SuspendedState.DynamicScalingInSuspended"],
        request: r#"{"SuspendedState": {"DynamicScalingInSuspended": true}}"#,
        gives: r#"
behavior:
  scaleDown:
    policies:
    - periodSeconds: 60
      type: Percent
      value: 100
    selectPolicy: Disabled
    stabilizationWindowSeconds: 900
    tolerance: 100m
  scaleUp:
    policies:
    - periodSeconds: 15
      type: Pods
      value: 10
    selectPolicy: Max
    stabilizationWindowSeconds: 180
    tolerance: "0"
"#,
    },
    Example {
        api: Api::ScalingPolicy,
        paths: &[
            "TargetTrackingScalingPolicyConfiguration.TargetValue",
            "TargetTrackingScalingPolicyConfiguration.PredefinedMetricSpecification.PredefinedMetricType",
        ],
        request: r#"{"TargetTrackingScalingPolicyConfiguration": {"TargetValue": 60, "PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"}}}"#,
        gives: r"
metrics:
- resource:
    name: cpu
    target:
      averageUtilization: 60
      type: Utilization
  type: Resource
",
    },
    Example {
        api: Api::ScalingPolicy,
        paths: &[
            "TargetTrackingScalingPolicyConfiguration.CustomizedMetricSpecification.MetricName",
            "TargetTrackingScalingPolicyConfiguration.CustomizedMetricSpecification.Namespace",
            "TargetTrackingScalingPolicyConfiguration.CustomizedMetricSpecification.Dimensions",
            "TargetTrackingScalingPolicyConfiguration.CustomizedMetricSpecification.Statistic",
        ],
        request: r#"{"TargetTrackingScalingPolicyConfiguration": {"TargetValue": 100, "CustomizedMetricSpecification": {"Namespace": "AWS/SQS", "MetricName": "ApproximateNumberOfMessagesVisible", "Dimensions": [{"Name": "QueueName", "Value": "jobs"}], "Statistic": "Average"}}}"#,
        gives: r#"
triggers:
- metadata:
    namespace: AWS/SQS
    awsRegion: eu-west-1
    dimensionName: QueueName
    dimensionValue: jobs
    identityOwner: operator
    metricCollectionTime: "180"
    metricEndTimeOffset: "0"
    metricName: ApproximateNumberOfMessagesVisible
    metricStat: Average
    metricStatPeriod: "60"
    minMetricValue: "0"
    targetMetricValue: "100"
  name: cpu
  metricType: Value
  type: aws-cloudwatch
"#,
    },
];
