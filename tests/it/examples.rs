//! The examples of `ecs-operator explain` match the results of conversions.

use ecs_operator::{
    fields::{Api, Example},
    settings::Settings,
};
use serde_json::{Value, json};

use crate::library;

#[test]
fn every_example_gives_what_it_says() {
    let plain = Settings::default();
    let placed = Settings {
        aws_region: Some("eu-west-1".to_owned()),
        ..Settings::default()
    };
    let mut problems = Vec::new();
    for example in Example::all() {
        // A CloudWatch metric is in a region; all other examples are shown without the variables of a region.
        let mut result = library::convert(documents(example), &plain);
        let is_open = |reason: &String| reason.contains("RegionUnknown: ");
        if result.has_errors() || result.reasons().iter().any(is_open) {
            result = library::convert(documents(example), &placed);
        }
        if result.has_errors() {
            let reasons = result.reasons().join(", ");
            problems.push(format!("{} is rejected: {reasons}", example.request));
        }
        let printed = result.yaml();
        for block in blocks(example.gives) {
            if !contains(&printed, &block) {
                let block = block.join("\n");
                problems.push(format!("{}\ndoes not give\n{block}\n", example.request));
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn every_example_is_about_fields() {
    for example in Example::all() {
        for path in example.paths {
            let shown = example
                .api
                .fields()
                .filter(|field| field.path.starts_with(path))
                .filter_map(|field| Example::of(example.api, field))
                .any(|shown| std::ptr::eq(shown, example));
            assert!(shown, "no field shows the example of {path}");
        }
    }
}

/// Returns the example's request, completed with omitted members, and the documents that it needs.
fn documents(example: &Example) -> Vec<String> {
    let request: Value = serde_json::from_str(example.request).expect("the request is JSON");
    let web = json!({"serviceName": "web", "taskDefinition": "web", "desiredCount": 2});
    let mut definition = json!({"family": "web", "containerDefinitions": [{
        "name": "web", "image": "nginx:1.29", "cpu": 256, "memory": 512,
        "portMappings": [{"containerPort": 80, "name": "http"}],
    }]});
    if request.get("volumeConfigurations").is_some() {
        let mount = json!({"sourceVolume": "data", "containerPath": "/data"});
        definition["volumes"] = json!([{"name": "data", "configuredAtLaunch": true}]);
        definition["containerDefinitions"][0]["mountPoints"] = json!([mount]);
    }
    let scaling = |name: &str, value: Value| {
        let mut request = json!({
            "ServiceNamespace": "ecs", "ResourceId": "service/default/web", "ScalableDimension": "ecs:service:DesiredCount",
        });
        request[name] = value;
        request
    };
    let mut target = scaling("MinCapacity", json!(2));
    target["MaxCapacity"] = json!(10);
    let mut policy = scaling("PolicyName", json!("cpu"));
    policy["PolicyType"] = json!("TargetTrackingScaling");
    let documents = match example.api {
        Api::TaskDefinition => vec![task_definition(request)],
        Api::Service => vec![definition, merged(web, request)],
        Api::Task => vec![
            definition,
            merged(json!({"taskDefinition": "web"}), request),
        ],
        Api::ScalingPolicy => vec![definition, web, target, merged(policy, request)],
        Api::ScalableTarget => {
            policy["TargetTrackingScalingPolicyConfiguration"] = json!({
                "TargetValue": 60,
                "PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"},
            });
            vec![definition, web, merged(target, request), policy]
        }
        api @ (Api::Cluster
        | Api::CapacityProvider
        | Api::ScheduledAction
        | Api::MetricAlarm
        | Api::Schedule
        | Api::AppRunnerService
        | Api::AutoScalingConfiguration
        | Api::Rule
        | Api::Pipe
        | Api::Kubernetes) => {
            panic!("{api:?} has no examples")
        }
    };
    documents.iter().map(Value::to_string).collect()
}

/// Returns a task definition whose containers have the required members.
fn task_definition(request: Value) -> Value {
    let container = json!({"name": "web", "image": "nginx:1.29", "memory": 512});
    let mut request = merged(
        json!({"family": "web", "containerDefinitions": [{}]}),
        request,
    );
    let containers = request["containerDefinitions"].as_array_mut();
    for given in containers.expect("a list").iter_mut() {
        *given = merged(container.clone(), given.take());
    }
    request
}

/// Returns `base` with everything of `more`; elements of lists are merged by their index.
fn merged(base: Value, more: Value) -> Value {
    match (base, more) {
        (Value::Object(mut base), Value::Object(more)) => {
            for (name, value) in more {
                let earlier = base.remove(&name).unwrap_or_default();
                base.insert(name, merged(earlier, value));
            }
            Value::Object(base)
        }
        (_, more) => more,
    }
}

/// Returns the parts of `gives`: each begins with a line without indentation that is not an element of a list.
fn blocks(gives: &str) -> Vec<Vec<&str>> {
    let mut blocks: Vec<Vec<&str>> = Vec::new();
    for line in gives.trim().lines() {
        match blocks.last_mut() {
            Some(block) if line.starts_with([' ', '-']) => block.push(line),
            _ => blocks.push(vec![line]),
        }
    }
    blocks
}

/// Whether `printed` contains the lines of `block`, all indented by the same amount.
fn contains(printed: &str, block: &[&str]) -> bool {
    let printed: Vec<&str> = printed.lines().collect();
    printed.windows(block.len()).any(|window| {
        let indentation = window[0].len() - window[0].trim_start().len();
        let lines = window.iter().zip(block);
        lines.into_iter().all(|(line, wanted)| {
            line.get(indentation..) == Some(*wanted) && line[..indentation].trim().is_empty()
        })
    })
}

#[test]
fn indentation_counts() {
    let printed = "spec:\n  ports:\n  - port: 80\n";
    assert!(contains(printed, &["ports:", "- port: 80"]));
    assert!(!contains(printed, &["ports:", "  - port: 80"]));
    assert_eq!(blocks("a:\n- b\nc: d"), [vec!["a:", "- b"], vec!["c: d"]]);
}
