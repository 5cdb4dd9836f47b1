//! Checks of what becomes of App Runner services, one act after the other.

use serde_json::Value;

use super::{request::Place, scenario::app_runner, store::Store, trial::undisturbed};

fn object(store: &Store, plural: &str) -> Value {
    let place = Place::new("ecs-operator.dev", plural, "hello");
    store.get(&place).cloned().unwrap_or_default()
}

/// Returns the images of the pods that go on, each once, and how many there are.
fn running(store: &Store) -> String {
    let pods = store.of_kind("", "pods").into_iter();
    let pods = pods.filter(|(_, pod)| pod["metadata"].get("deletionTimestamp").is_none());
    let images = pods.map(|(_, pod)| pod["spec"]["containers"][0]["image"].to_string());
    let mut images: Vec<String> = images.collect();
    let count = images.len();
    images.dedup();
    format!("{count} of {}", images.join(" ").replace('"', ""))
}

/// Returns the state of the service, its newest operation, and what runs.
fn told(store: &Store) -> [String; 3] {
    let status = &object(store, "apprunnerservices")["status"];
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let newest = &status["operations"][0];
    [
        text(&status["status"]),
        format!("{} {}", text(&newest["type"]), text(&newest["status"])),
        running(store),
    ]
}

#[test]
fn each_operation_ends_with_what_was_asked_for() {
    let ends = undisturbed(app_runner::an_app_runner_service().acts.iter());
    let seen: Vec<[String; 3]> = ends.iter().map(told).collect();
    let expected = [
        ["RUNNING", "CREATE_SERVICE SUCCEEDED", "2 of test/web:1"],
        ["RUNNING", "UPDATE_SERVICE SUCCEEDED", "2 of test/web:2"],
        ["PAUSED", "PAUSE_SERVICE SUCCEEDED", "0 of "],
        ["PAUSED", "UPDATE_SERVICE SUCCEEDED", "0 of "],
        ["RUNNING", "RESUME_SERVICE SUCCEEDED", "2 of test/web:3"],
        // It is rejected.
        ["RUNNING", "RESUME_SERVICE SUCCEEDED", "2 of test/web:3"],
        ["RUNNING", "UPDATE_SERVICE SUCCEEDED", "2 of test/web:3"],
        ["RUNNING", "START_DEPLOYMENT SUCCEEDED", "2 of test/web:3"],
        ["-", "- -", "0 of "],
    ];
    assert_eq!(seen, expected);
}

#[test]
fn a_name_that_is_taken_is_used_when_it_is_free() {
    let scenario = app_runner::an_app_runner_service_whose_name_is_taken();
    let ends = undisturbed(scenario.before.iter().chain(&scenario.acts));
    let [foreign, taken, free] = &ends[..] else {
        panic!("each act has an end");
    };
    assert_eq!(object(taken, "ecsservices"), object(foreign, "ecsservices"));
    assert_eq!(object(taken, "ecstaskdefinitions"), Value::Null);
    assert_eq!(told(taken)[..2], ["-", "- -"]);
    assert_eq!(told(free)[..2], ["RUNNING", "CREATE_SERVICE SUCCEEDED"]);
}
