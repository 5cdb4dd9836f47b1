//! Tests of plans and states as a whole.

use std::fmt::Write as _;

use super::{
    super::{syntax::parse_one, testing::expansion, tree::print},
    *,
};

fn values(fill: &[(&str, &str)]) -> Values {
    let fill = fill.iter();
    let fill = fill.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Values {
        fill: fill.collect(),
        region: Some("eu-west-1".to_owned()),
        ..Values::default()
    }
}

/// Returns the documents of a file without the count of a service that has none, and what is said of it.
fn expanded(text: &str, fill: &[(&str, &str)]) -> (Vec<String>, Vec<String>) {
    let root = parse_one("plan.json", text).unwrap().unwrap();
    assert!(is_state_or_plan(&root), "{text}");
    let (documents, findings) = expansion(text, &expand(&root, &values(fill)));
    let findings = findings.iter();
    let findings = findings.map(|message| format!("{}: {message}", message.reason()));
    let documents = documents.iter().map(|it| {
        let without = it.replace(",DesiredCount:0}", "}");
        without.replace("{DesiredCount:0}", "{}")
    });
    (documents.collect(), findings.collect())
}

/// A resource of a plan: its type and name, its values, what is not known, and its expressions.
type Planned<'t> = (&'t str, &'t str, &'t str, &'t str);

/// Returns a plan of these resources, in one module.
fn plan_of(resources: &[Planned<'_>]) -> String {
    let (mut planned, mut changes, mut expressions) = (String::new(), String::new(), String::new());
    for (address, values, unknown, references) in resources {
        let (type_, name) = address.split_once('.').unwrap();
        let name = name.split('[').next().unwrap();
        let address = address.replace('"', "\\\"");
        write!(
            planned,
            r#"{{"address":"{address}","mode":"managed","type":"{type_}","name":"{name}","values":{values}}},"#
        )
        .unwrap();
        write!(
            changes,
            r#"{{"address":"{address}","change":{{"after_unknown":{unknown}}}}},"#
        )
        .unwrap();
        write!(
            expressions,
            r#"{{"mode":"managed","type":"{type_}","name":"{name}","expressions":{references}}},"#
        )
        .unwrap();
    }
    let [planned, changes, expressions] =
        [planned, changes, expressions].map(|list| list.trim_end_matches(',').to_owned());
    format!(
        r#"{{"format_version":"1.2","planned_values":{{"root_module":{{"resources":[{planned}]}}}},"resource_changes":[{changes}],"configuration":{{"root_module":{{"resources":[{expressions}]}}}}}}"#
    )
}

/// What the references below lead to.
const MADE: &[Planned<'_>] = &[
    (
        "aws_ecs_task_definition.task",
        r#"{"family":"job","container_definitions":"[]"}"#,
        r#"{"arn":true}"#,
        "{}",
    ),
    ("aws_ecs_cluster.main", r#"{"name":"shop"}"#, "{}", "{}"),
    (
        "aws_iam_role.app",
        r#"{"name":"app","path":"/team/"}"#,
        "{}",
        "{}",
    ),
    (
        "aws_iam_role.prefixed",
        r#"{"name_prefix":"app-"}"#,
        r#"{"name":true}"#,
        "{}",
    ),
    ("aws_lb_target_group.web", r#"{"name":"web"}"#, "{}", "{}"),
    ("aws_subnet.a[0]", "{}", "{}", "{}"),
    (r#"aws_subnet.b["x"]"#, "{}", "{}", "{}"),
];

/// Returns the properties of a service whose arguments are not known, and refer to these.
fn service(values: &str, unknown: &str, expressions: &str, fill: &[(&str, &str)]) -> String {
    let mut resources = vec![("aws_ecs_service.web", values, unknown, expressions)];
    resources.extend(MADE);
    let (documents, _) = expanded(&plan_of(&resources), fill);
    let document = documents[0].strip_prefix(r#"{Type:"aws_ecs_service",Properties:"#);
    document.unwrap().strip_suffix('}').unwrap().to_owned()
}

#[test]
fn what_is_known_after_apply_is_found_in_the_configuration() {
    let table = [
        (
            "task_definition",
            r#"["aws_ecs_task_definition.task.arn","aws_ecs_task_definition.task"]"#,
            r#"{TaskDefinition:"job"}"#,
        ),
        (
            "task_definition",
            r#"["aws_ecs_task_definition.task.family","aws_ecs_task_definition.task.revision","aws_ecs_task_definition.task"]"#,
            r#"{TaskDefinition:"job"}"#,
        ),
        (
            "cluster",
            r#"["aws_ecs_cluster.main.id","aws_ecs_cluster.main"]"#,
            r#"{Cluster:"shop"}"#,
        ),
        (
            "cluster",
            r#"["data.aws_ecs_cluster.main.arn"]"#,
            r#"{Cluster:"${data.aws_ecs_cluster.main.arn}"}"#,
        ),
        (
            "iam_role",
            r#"["aws_iam_role.app.arn","aws_iam_role.app"]"#,
            r#"{Role:"arn:aws:iam::<ACCOUNT_ID>:role/team/app"}"#,
        ),
        (
            "iam_role",
            r#"["aws_iam_role.prefixed.arn"]"#,
            r#"{Role:"${aws_iam_role.prefixed.arn}"}"#,
        ),
        ("iam_role", r#"["local.role"]"#, r#"{Role:"${local.role}"}"#),
        ("iam_role", r#"["each.value"]"#, r#"{Role:"${each.value}"}"#),
        (
            "iam_role",
            r#"["aws_iam_role.app.arn","aws_iam_role.prefixed.arn"]"#,
            r#"{Role:"${aws_ecs_service.web.iam_role}"}"#,
        ),
        // The text of a name may be composed of references and more.
        (
            "name",
            r#"["aws_lb_target_group.web.arn_suffix"]"#,
            r#"{ServiceName:"${aws_ecs_service.web.name}"}"#,
        ),
        (
            "desired_count",
            r#"["aws_lb_target_group.web.id"]"#,
            r#"{DesiredCount:"${aws_ecs_service.web.desired_count}"}"#,
        ),
    ];
    for (argument, references, expected) in table {
        let unknown = format!(r#"{{"{argument}":true}}"#);
        let expressions = format!(r#"{{"{argument}":{{"references":{references}}}}}"#);
        assert_eq!(
            service("{}", &unknown, &expressions, &[]),
            expected,
            "{references}"
        );
    }
}

#[test]
fn what_is_known_after_apply_may_be_given() {
    let unknown = r#"{"iam_role":true,"task_definition":true}"#;
    let expressions = r#"{"iam_role":{"references":["aws_lb_target_group.web.arn"]},"task_definition":{"references":["aws_ecs_task_definition.task.arn"]}}"#;
    for (name, expected) in [
        (
            "aws_lb_target_group.web.arn",
            r#"{Role:"x",TaskDefinition:"job"}"#,
        ),
        (
            "aws_ecs_service.web.iam_role",
            r#"{Role:"x",TaskDefinition:"job"}"#,
        ),
        (
            "aws_ecs_task_definition.task.arn",
            r#"{Role:"${aws_lb_target_group.web.arn}",TaskDefinition:"x"}"#,
        ),
    ] {
        assert_eq!(
            service("{}", unknown, expressions, &[(name, "x")]),
            expected,
            "{name}"
        );
    }
}

#[test]
fn lists_and_blocks_are_known_in_part() {
    let table = [
        (
            r#"{"network_configuration":[{"assign_public_ip":true}]}"#,
            r#"{"network_configuration":[{"subnets":true}]}"#,
            r#"{"network_configuration":[{"subnets":{"references":["aws_subnet.a[0].id","aws_subnet.a[0]","aws_subnet.a","aws_subnet.b[\"x\"].id","aws_subnet.b[\"x\"]","aws_subnet.b"]}}]}"#,
            r#"{NetworkConfiguration:{AwsvpcConfiguration:{AssignPublicIp:"ENABLED",Subnets:["${aws_subnet.a.0.id}","${aws_subnet.b.x.id}"]}}}"#,
        ),
        (
            r#"{"load_balancer":[{"container_name":"web","container_port":80}]}"#,
            r#"{"load_balancer":[{"target_group_arn":true}]}"#,
            r#"{"load_balancer":[{"target_group_arn":{"references":["aws_lb_target_group.web.arn"]}}]}"#,
            r#"{LoadBalancers:[{ContainerName:"web",ContainerPort:80,TargetGroupArn:"${aws_lb_target_group.web.arn}"}]},metadata:{annotations:{ecs-operator.dev/deregistration-delay-seconds:"300"}}"#,
        ),
        // The configuration does not have what a dynamic block makes.
        (
            r#"{"load_balancer":[{"container_name":"web"}]}"#,
            r#"{"load_balancer":[{"target_group_arn":true}]}"#,
            r#"{"name":{}}"#,
            r#"{LoadBalancers:[{ContainerName:"web",TargetGroupArn:"${aws_ecs_service.web.load_balancer.target_group_arn}"}]}"#,
        ),
        (
            r#"{"load_balancer":[{"container_port":80},{"container_port":81}]}"#,
            r#"{"load_balancer":[{"target_group_arn":true},{"target_group_arn":true}]}"#,
            r#"{"name":{}}"#,
            r#"{LoadBalancers:[{ContainerPort:80,TargetGroupArn:"${aws_ecs_service.web.load_balancer.0.target_group_arn}"},{ContainerPort:81,TargetGroupArn:"${aws_ecs_service.web.load_balancer.1.target_group_arn}"}]}"#,
        ),
        // AWS answers what the configuration does not have.
        (
            "{}",
            r#"{"iam_role":true,"platform_version":true}"#,
            r#"{"name":{}}"#,
            "{}",
        ),
        (
            r#"{"tags":{"a":"b"}}"#,
            r#"{"tags":{"c":true}}"#,
            r#"{"tags":{"references":["local.c"]}}"#,
            r#"{Tags:[{Key:"a",Value:"b"},{Key:"c",Value:"${aws_ecs_service.web.tags.c}"}]}"#,
        ),
    ];
    for (values, unknown, expressions, expected) in table {
        let expected = expected.replace("Tags:[{Key:", "Tags:[{key:");
        let printed = service(values, unknown, expressions, &[]);
        assert_eq!(printed.to_lowercase(), expected.to_lowercase(), "{values}");
    }
}

/// Returns the properties of a resource in a state.
fn stated(type_: &str, values: &str) -> String {
    let text = format!(
        r#"{{"format_version":"1.0","values":{{"root_module":{{"resources":[{{"address":"x.y","mode":"managed","type":"{type_}","name":"y","values":{values}}}]}}}}}}"#
    );
    let (documents, _) = expanded(&text, &[]);
    let document = documents[0].split_once("Properties:").unwrap().1;
    document.strip_suffix('}').unwrap().to_owned()
}

#[test]
fn arguments_become_members_of_the_api() {
    let table = [
        (
            "aws_ecs_service",
            r#"{"name":"web","deployment_maximum_percent":150,"deployment_configuration":[{"strategy":"ROLLING"}],"deployment_circuit_breaker":[{"enable":true,"rollback":false}],"triggers":{"a":"b"},"wait_for_steady_state":true}"#,
            r#"{ServiceName:"web",DeploymentConfiguration:{MaximumPercent:150,Strategy:"ROLLING",DeploymentCircuitBreaker:{Enable:true,Rollback:false}}}"#,
        ),
        (
            "aws_ecs_service",
            r#"{"service_connect_configuration":[{"enabled":true,"namespace":"n","log_configuration":[{"log_driver":"awslogs","options":{"a-b":"c"},"secret_option":[{"name":"k","value_from":"s"}]}],"service":[{"port_name":"http","client_alias":[{"port":80,"dns_name":"web"}],"timeout":[{"idle_timeout_seconds":5}],"tls":[{"issuer_cert_authority":[{"aws_pca_authority_arn":"a"}]}]}]}]}"#,
            r#"{ServiceConnectConfiguration:{Enabled:true,Namespace:"n",LogConfiguration:{LogDriver:"awslogs",Options:{a-b:"c"},SecretOptions:[{Name:"k",ValueFrom:"s"}]},Services:[{PortName:"http",ClientAliases:[{Port:80,DnsName:"web"}],Timeout:{IdleTimeoutSeconds:5},Tls:{IssuerCertificateAuthority:{AwsPcaAuthorityArn:"a"}}}]}}"#,
        ),
        (
            "aws_ecs_service",
            r#"{"volume_configuration":[{"name":"d","managed_ebs_volume":[{"size_in_gb":10,"role_arn":"r"}]}],"ordered_placement_strategy":[{"type":"binpack","field":"cpu"}],"alarms":[{"alarm_names":["a"],"enable":true,"rollback":true}]}"#,
            r#"{VolumeConfigurations:[{Name:"d",ManagedEBSVolume:{SizeInGiB:10,RoleArn:"r"}}],PlacementStrategy:[{Type:"binpack",Field:"cpu"}],DeploymentConfiguration:{Alarms:{AlarmNames:["a"],Enable:true,Rollback:true}}}"#,
        ),
        (
            "aws_ecs_task_definition",
            r#"{"family":"web","cpu":"256","ephemeral_storage":[{"size_in_gib":30}],"proxy_configuration":[{"container_name":"envoy","type":"APPMESH","properties":{"AppPorts":"80"}}],"volume":[{"name":"h","host_path":"/d"},{"name":"e","host_path":"","efs_volume_configuration":[{"file_system_id":"fs-1","authorization_config":[{"iam":"ENABLED"}]}]},{"name":"d","docker_volume_configuration":[{"driver_opts":{"type":"nfs"}}]}],"revision":3,"tags_all":{"a":"b"}}"#,
            r#"{Family:"web",Cpu:"256",EphemeralStorage:{SizeInGiB:30},ProxyConfiguration:{ContainerName:"envoy",Type:"APPMESH",Properties:[{name:"AppPorts",value:"80"}]},Volumes:[{Name:"h",Host:{SourcePath:"/d"}},{Name:"e",EfsVolumeConfiguration:{FileSystemId:"fs-1",AuthorizationConfig:{Iam:"ENABLED"}}},{Name:"d",DockerVolumeConfiguration:{DriverOpts:{type:"nfs"}}}]}"#,
        ),
        (
            "aws_ecs_task_definition",
            r#"{"family":"web","container_definitions":"[{\"Name\":\"web\",\"imgae\":\"x\",\"environment\":[{\"name\":\"A\",\"value\":\"${B}\"}],\"dockerLabels\":{\"any\":\"c\"}}]"}"#,
            r#"{Family:"web",ContainerDefinitions:[{Name:"web",environment:[{name:"A",value:"${B}"}],dockerLabels:{any:"c"}}]}"#,
        ),
        (
            "aws_ecs_task_definition",
            r#"{"family":"web","container_definitions":"[{\"password\": secret"}"#,
            r#"{Family:"web",ContainerDefinitions:<x.y.container_definitions: must be a list in JSON>}"#,
        ),
        (
            "aws_appautoscaling_policy",
            r#"{"name":"up","step_scaling_policy_configuration":[{"adjustment_type":"ChangeInCapacity","step_adjustment":[{"metric_interval_lower_bound":"0","metric_interval_upper_bound":"","scaling_adjustment":1}]}],"target_tracking_scaling_policy_configuration":[]}"#,
            r#"{PolicyName:"up",StepScalingPolicyConfiguration:{AdjustmentType:"ChangeInCapacity",StepAdjustments:[{MetricIntervalLowerBound:"0",ScalingAdjustment:1}]},PolicyType:"StepScaling"}"#,
        ),
        (
            "aws_cloudwatch_metric_alarm",
            r#"{"alarm_name":"a","alarm_actions":["arn:aws:autoscaling:eu-west-1:1:scalingPolicy:u:resource/ecs/service/c/s:policyName/p"],"dimensions":{"ServiceName":"s"},"metric_query":[{"id":"m","return_data":true,"metric":[{"metric_name":"M","namespace":"N","period":60,"stat":"Sum","dimensions":{"Q":"q"}}]}]}"#,
            r#"{AlarmName:"a",AlarmActions:["arn:aws:autoscaling:eu-west-1:1:scalingPolicy:u:resource/ecs/service/c/s:policyName/p"],Dimensions:[{Name:"ServiceName",Value:"s"}],Metrics:[{Id:"m",ReturnData:true,MetricStat:{Metric:{MetricName:"M",Namespace:"N",Dimensions:[{Name:"Q",Value:"q"}]},Period:60,Stat:"Sum"}}]}"#,
        ),
        (
            "aws_ecs_capacity_provider",
            r#"{"name":"spot","auto_scaling_group_provider":[{"managed_scaling":[{"status":"ENABLED"}]}]}"#,
            r#"{Name:"spot",AutoScalingGroupProvider:{ManagedScaling:{Status:"ENABLED"}}}"#,
        ),
        (
            "aws_cloudwatch_event_target",
            r#"{"id":"r-t","rule":"r","target_id":"t","arn":"a","ecs_target":[{"task_definition_arn":"web","network_configuration":[{"assign_public_ip":false,"subnets":["s"]}],"placement_constraint":[{"type":"distinctInstance"}]}],"input_transformer":[{"input_paths":{"x":"$.x"},"input_template":"<x>"}]}"#,
            r#"{Rule:"r",Targets:[{Id:"t",Arn:"a",EcsParameters:{TaskDefinitionArn:"web",NetworkConfiguration:{AwsvpcConfiguration:{AssignPublicIp:"DISABLED",Subnets:["s"]}},PlacementConstraints:[{Type:"distinctInstance"}]},InputTransformer:{InputPathsMap:{x:"$.x"},InputTemplate:"<x>"}}]}"#,
        ),
    ];
    for (type_, values, expected) in table {
        assert_eq!(stated(type_, values), expected, "{values}");
    }
}

#[test]
fn a_service_without_a_count_has_no_task() {
    let count = |values: &str| {
        let text = plan_of(&[("aws_ecs_service.web", values, "{}", "{}")]);
        let root = parse_one("plan.json", &text).unwrap().unwrap();
        let expanded = expand(&root, &Values::default());
        let properties = expanded.resources[0].get("Properties").unwrap();
        properties.get("DesiredCount").map(print)
    };
    assert_eq!(count(r#"{"name":"web"}"#).as_deref(), Some("0"));
    let given = r#"{"name":"web","desired_count":2}"#;
    assert_eq!(count(given).as_deref(), Some("2"));
    let daemon = r#"{"name":"web","scheduling_strategy":"DAEMON"}"#;
    assert_eq!(count(daemon), None);
}

#[test]
fn a_list_that_a_variable_may_choose_is_one_placeholder() {
    let subnets = |references: &str| {
        let unknown = r#"{"network_configuration":[{"subnets":true}]}"#;
        let expressions = format!(
            r#"{{"network_configuration":[{{"subnets":{{"references":[{references}]}}}}]}}"#
        );
        let values = r#"{"network_configuration":[{"assign_public_ip":true}]}"#;
        service(values, unknown, &expressions, &[])
    };
    let both = subnets(r#""aws_subnet.a[0].id","aws_subnet.b[\"x\"].id""#);
    assert!(
        both.contains(r#"Subnets:["${aws_subnet.a.0.id}","${aws_subnet.b.x.id}"]"#),
        "{both}"
    );
    let choice = subnets(r#""var.public","aws_subnet.a[0].id","aws_subnet.b[\"x\"].id""#);
    assert!(
        choice.contains(r#"Subnets:["${aws_ecs_service.web.network_configuration.subnets}"]"#),
        "{choice}"
    );
}

#[test]
fn references_lead_through_modules() {
    let text = r#"{"format_version":"1.2","planned_values":{"root_module":{
        "resources":[{"address":"aws_iam_role.task","mode":"managed","type":"aws_iam_role","name":"task","values":{"name":"task"}}],
        "child_modules":[
          {"address":"module.cluster","resources":[{"address":"module.cluster.aws_ecs_cluster.this[0]","mode":"managed","type":"aws_ecs_cluster","name":"this","index":0,"values":{"name":"shop"}}]},
          {"address":"module.service[\"api\"]","resources":[
            {"address":"module.service[\"api\"].aws_ecs_service.this","mode":"managed","type":"aws_ecs_service","name":"this","values":{"name":"api"}}],
           "child_modules":[{"address":"module.service[\"api\"].module.task","resources":[
            {"address":"module.service[\"api\"].module.task.aws_ecs_task_definition.this","mode":"managed","type":"aws_ecs_task_definition","name":"this","values":{"family":"api"}}]}]}]}},
      "resource_changes":[
        {"address":"module.service[\"api\"].aws_ecs_service.this","change":{"after_unknown":{"cluster":true,"iam_role":true,"task_definition":true,"platform_version":true}}}],
      "configuration":{"root_module":{"module_calls":{
        "cluster":{"module":{"outputs":{"arn":{"expression":{"references":["aws_ecs_cluster.this[0].arn","aws_ecs_cluster.this[0]","aws_ecs_cluster.this"]}}},"resources":[]}},
        "service":{"expressions":{"cluster":{"references":["module.cluster.arn","module.cluster"]},"role":{"references":["aws_iam_role.task.arn","aws_iam_role.task"]},"version":{"constant_value":"1.4.0"}},
          "module":{"resources":[{"mode":"managed","type":"aws_ecs_service","name":"this","expressions":{
             "cluster":{"references":["var.cluster"]},"iam_role":{"references":["var.other"]},"platform_version":{"references":["var.version"]},
             "task_definition":{"references":["module.task.arn","module.task"]}}}],
           "module_calls":{"task":{"module":{"outputs":{"arn":{"expression":{"references":["aws_ecs_task_definition.this.arn","aws_ecs_task_definition.this"]}}}}}}}}}}}}"#;
    let (documents, findings) = expanded(text, &[]);
    assert_eq!(
        documents[0],
        r#"{Type:"aws_ecs_service",Properties:{ServiceName:"api",Cluster:"shop",Role:"${module.service.api.var.other}",TaskDefinition:"api",PlatformVersion:"${module.service.api.aws_ecs_service.this.platform_version}"}}"#
    );
    assert_eq!(findings.len(), 2, "{findings:?}");
}

#[test]
fn what_there_is_to_say_is_said_once() {
    let resources = [
        (
            "aws_ecs_task_definition.web",
            r#"{"family":"web","surprise":"x","container_definitions":"[{\"imgae\":\"x\"},{\"imgae\":\"y\"}]"}"#,
            r#"{"execution_role_arn":true,"task_role_arn":true}"#,
            r#"{"execution_role_arn":{"references":["aws_iam_role.a.arn"]},"task_role_arn":{"references":["aws_iam_role.a.arn"]}}"#,
        ),
        ("aws_vpc.a", "{}", "{}", "{}"),
        ("aws_vpc.b", "{}", "{}", "{}"),
    ];
    let (_, findings) = expanded(&plan_of(&resources), &[]);
    assert_eq!(
        findings,
        [
            "ArgumentsNotRead: aws_ecs_task_definition.web has arguments that are not read: surprise, container_definitions[].imgae",
            "ResourcesNotRead: the Terraform configuration also makes what is not converted: 2 of aws_vpc",
            "KnownAfterApply: only terraform apply tells aws_iam_role.a.arn, so placeholders stand for them",
        ]
    );
    let (documents, findings) = expanded(&plan_of(&[("aws_vpc.a", "{}", "{}", "{}")]), &[]);
    assert!(documents.is_empty());
    assert_eq!(
        findings,
        ["NothingToConvert: the plan has nothing that is converted: aws_vpc"]
    );
    let empty = r#"{"format_version":"1.0","terraform_version":"1.9.8"}"#;
    let (_, findings) = expanded(empty, &[]);
    assert_eq!(
        findings,
        ["NothingToConvert: the state has nothing that is converted: it has no resources"]
    );
}

#[test]
fn an_evaluation_ends() {
    // Each output refers to the next one twice.
    let mut module = String::from("{}");
    for _ in 0..15 {
        module = format!(
            r#"{{"outputs":{{"o":{{"expression":{{"references":["module.m.o","module.m[0].o"]}}}}}},"module_calls":{{"m":{{"module":{module}}}}}}}"#
        );
    }
    let text = format!(
        r#"{{"planned_values":{{"root_module":{{"resources":[{{"address":"aws_ecs_service.w","type":"aws_ecs_service","name":"w","values":{{}}}}]}}}},
        "resource_changes":[{{"address":"aws_ecs_service.w","change":{{"after_unknown":{{"iam_role":true}}}}}}],
        "configuration":{{"root_module":{{"resources":[{{"type":"aws_ecs_service","name":"w","expressions":{{"iam_role":{{"references":["module.m.o"]}}}}}}],"module_calls":{{"m":{{"module":{module}}}}}}}}}}}"#
    );
    let (documents, _) = expanded(&text, &[]);
    assert_eq!(documents.len(), 1);
    // An argument that refers to itself is open.
    let resources = [(
        "aws_appautoscaling_target.a",
        r#"{"service_namespace":"ecs"}"#,
        r#"{"resource_id":true}"#,
        r#"{"resource_id":{"references":["aws_appautoscaling_target.a.resource_id"]}}"#,
    )];
    let (documents, _) = expanded(&plan_of(&resources), &[]);
    assert!(documents[0].contains("${aws_appautoscaling_target.a.resource_id}"));
}

#[test]
fn other_files_are_no_plans() {
    for text in [
        r#"{"resource":{"aws_ecs_service":{"web":{}}}}"#,
        r#"{"resources":[],"version":4}"#,
        r#"{"values":{}}"#,
        r#"{"family":"web","containerDefinitions":[]}"#,
        r#"{"Resources":{"Web":{"Type":"AWS::ECS::Service"}}}"#,
    ] {
        let root = parse_one("a.json", text).unwrap().unwrap();
        assert!(!is_state_or_plan(&root), "{text}");
    }
}
