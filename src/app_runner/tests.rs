//! The step from App Runner to ECS, and the places of findings.

use serde_json::{Value, json};

use super::*;
use crate::{
    diagnostic::{Reason, Segment},
    settings::{ListedMetric, MetricQuery, MetricSources},
};

fn input(request: &Value, scaling: Option<Value>) -> AppRunnerInput {
    AppRunnerInput {
        request: serde_json::from_value(request.clone()).unwrap(),
        auto_scaling: scaling.map(|it| serde_json::from_value(it).unwrap()),
        extensions: crd::AppRunnerExtensions::default(),
    }
}

fn hello() -> Value {
    json!({
        "ServiceName": "hello",
        "SourceConfiguration": {"ImageRepository": {
            "ImageIdentifier": "public.ecr.aws/aws-containers/hello-app-runner:latest",
            "ImageRepositoryType": "ECR_PUBLIC",
            "ImageConfiguration": {
                "RuntimeEnvironmentVariables": {"A": "1", "Z": "2"},
                "RuntimeEnvironmentSecrets": {"KEY": "key"},
            },
        }},
    })
}

#[test]
fn each_member_of_the_ecs_requests_has_its_place_in_the_documents_of_app_runner() {
    let definition = || FieldPath::root(Subject::TaskDefinition);
    let container = || definition().field("containerDefinitions").index(0);
    let service = || FieldPath::root(Subject::Service);
    let target = || FieldPath::root(Subject::AutoScaling).field("scalableTarget");
    let image = "SourceConfiguration.ImageRepository.ImageConfiguration";
    for (path, expected) in [
        (definition(), String::new()),
        (definition().field("family"), "ServiceName".to_owned()),
        (
            definition().field("cpu"),
            "InstanceConfiguration.Cpu".to_owned(),
        ),
        (
            definition().field("taskRoleArn"),
            "InstanceConfiguration.InstanceRoleArn".to_owned(),
        ),
        (
            definition().field("executionRoleArn"),
            "InstanceConfiguration.InstanceRoleArn".to_owned(),
        ),
        (
            container().field("image"),
            "SourceConfiguration.ImageRepository.ImageIdentifier".to_owned(),
        ),
        (
            container().field("environment").index(0).field("name"),
            format!("{image}.RuntimeEnvironmentVariables.A"),
        ),
        (
            container().field("environment").index(1),
            format!("{image}.Port"),
        ),
        (
            container().field("environment").index(2),
            format!("{image}.RuntimeEnvironmentVariables.Z"),
        ),
        (
            container().field("secrets").index(0).field("valueFrom"),
            format!("{image}.RuntimeEnvironmentSecrets.KEY"),
        ),
        (
            container().field("secrets"),
            format!("{image}.RuntimeEnvironmentSecrets"),
        ),
        (
            service().field("tags").index(2).field("key"),
            "Tags[2]".to_owned(),
        ),
        (
            service().field("kubernetes").field("expose"),
            "NetworkConfiguration.IngressConfiguration.IsPubliclyAccessible".to_owned(),
        ),
        (target().field("MinCapacity"), "MinSize".to_owned()),
        (target().field("MaxCapacity"), "MaxSize".to_owned()),
    ] {
        let mut findings = Diagnostics::new();
        findings.report(path.clone(), Message::TaskCountRange);
        let input = input(&hello(), Some(json!({})));
        let placed = placed(&findings, &input).into_sorted();
        assert_eq!(placed[0].path.to_string(), expected, "{path}");
    }
}

#[test]
fn without_a_configuration_its_members_are_at_the_reference_to_it() {
    let mut findings = Diagnostics::new();
    let path = FieldPath::root(Subject::Service).field("desiredCount");
    findings.report(path, Message::TaskCountRange);
    let placed = placed(&findings, &input(&hello(), None)).into_sorted();
    assert_eq!(placed[0].path.to_string(), "AutoScalingConfigurationArn");
    assert_eq!(placed[0].path.subject(), Subject::AppRunnerService);
}

#[test]
fn a_private_service_is_exposed_only_where_it_stays_private() {
    let mut request = hello();
    for (public, class, expected) in [
        (true, "alb", Some(None)),
        (true, "nginx", Some(None)),
        (false, "alb", Some(Some("internal"))),
        (false, "nginx", None),
        (false, "", None),
    ] {
        request["NetworkConfiguration"] =
            json!({"IngressConfiguration": {"IsPubliclyAccessible": public}});
        let settings = Settings {
            ingress_class: class.to_owned(),
            ..Settings::default()
        };
        let found = equivalent(&input(&request, None), &settings);
        let kubernetes = found.service.extensions.kubernetes;
        let scheme = kubernetes.map(|it| it.expose.unwrap().scheme);
        let scheme = scheme.as_ref().map(Option::as_deref);
        assert_eq!(scheme, expected, "{public} {class}");
        let has = |reason| found.findings.has(reason);
        assert_eq!(has(Reason::PrivateIngressNotProvided), expected.is_none());
    }
}

#[test]
fn a_service_follows_its_requests_only_where_they_are_known() {
    let scaling = |least: i64| json!({"MinSize": least, "MaxSize": 9, "MaxConcurrency": 40});
    let query = |text: &str| MetricSources {
        queries: [text.parse::<MetricQuery>().unwrap()].into_iter().collect(),
        ..MetricSources::default()
    };
    let of_service = r#"AWS/AppRunner/Concurrency=sum(active{ns="<<namespace>>",s="<<service>>"})"#;
    let listed = MetricSources {
        listed: ["AWS/AppRunner/*".parse::<ListedMetric>().unwrap()]
            .into_iter()
            .collect(),
        ..MetricSources::default()
    };
    for (least, sources, expected) in [
        (1, MetricSources::default(), Some("cpu")),
        // CloudWatch has no service of that name.
        (1, listed, Some("cpu")),
        (1, query("Shop/Concurrency=vector(1)"), Some("cpu")),
        (1, query(of_service), Some("concurrency")),
        (9, query(of_service), None),
    ] {
        let settings = Settings {
            metric_sources: sources,
            ..Settings::default()
        };
        let found = equivalent(&input(&hello(), Some(scaling(least))), &settings);
        let scaling = found.service.extensions.auto_scaling;
        let policy = scaling.as_ref().map(|it| &it.scaling_policies[0]);
        let name = policy.and_then(|policy| policy.policy_name.as_deref());
        assert_eq!(name, expected, "{settings:?}");
        let is_said = found.findings.has(Reason::ConcurrencyScalingNeedsMetric);
        assert_eq!(is_said, expected == Some("cpu"));
        let tracking =
            policy.and_then(|it| it.target_tracking_scaling_policy_configuration.as_ref());
        if expected == Some("concurrency") {
            assert_eq!(tracking.and_then(|it| it.target_value), Some(40.0));
        }
    }
}

#[test]
fn errors_of_both_steps_are_told_together_and_no_default_is_judged() {
    let mut request = hello();
    request["InstanceConfiguration"] = json!({"Cpu": "256", "Memory": "12 GB"});
    let image = &mut request["SourceConfiguration"]["ImageRepository"];
    image["ImageConfiguration"]["RuntimeEnvironmentVariables"]["KEY"] = json!("twice");
    let errors = validate_app_runner(&input(&request, None), &Settings::default());
    let errors = errors.unwrap_err();
    let reasons: Vec<Reason> = errors.iter().map(|it| it.reason()).collect();
    assert!(reasons.contains(&Reason::AppRunnerCpuMemory), "{reasons:?}");
    assert!(
        reasons.contains(&Reason::SecretEnvNameConflict),
        "{reasons:?}"
    );
    let first = |path: &FieldPath| path.segments().first().cloned();
    let of_ecs = errors
        .iter()
        .any(|error| first(&error.path) == Some(Segment::Member("containerDefinitions".into())));
    assert!(!of_ecs, "{errors:?}");
}
