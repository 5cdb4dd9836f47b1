//! `ecs-operator simulate scaling`: what it says of inputs that are not those of the documentation.

use std::{fs, path::Path};

use crate::program;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Returns the path of a file with this text.
fn file(name: &str, text: &str) -> String {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("simulate");
    fs::create_dir_all(&folder).expect("the folder can be made");
    let path = folder.join(name);
    fs::write(&path, text).expect("the file can be written");
    path.display().to_string()
}

/// Plays a load, and returns the exit status and what is printed.
fn play(inputs: &[&str], load: &str, more: &[&str]) -> (Option<i32>, String) {
    let arguments = [&["simulate", "scaling"], inputs, &["--load", load], more].concat();
    let run = program::run(root(), arguments);
    (run.status, run.stdout + &run.stderr)
}

#[test]
fn steps_are_played_and_have_no_autoscaler() {
    // Two of three points above 100 set the alarm off, and a task is added each minute, which is its cooldown.
    let load = file("backlog.csv", "minute,out\n0,0\n3,0\n4,500\n20,500\n");
    let case = "tests/cases/scaling-steps-with-their-alarm";
    let inputs = ["service.json", "task-definition.json", "scaling.json"];
    let inputs = inputs.map(|name| format!("{case}/{name}"));
    let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
    let (status, said) = play(&inputs, &load, &["--tasks", "1"]);
    assert_eq!(status, Some(0), "{said}");
    assert!(said.contains("An autoscaler has no steps"), "{said}");
    assert!(
        said.contains("policies of ECS: 1 to 4 tasks, 3 changes"),
        "{said}"
    );
    let changes: Vec<&str> = said
        .lines()
        .filter(|line| line.ends_with("(out)"))
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert_eq!(changes, ["5", "6", "7"], "{said}");
}

#[test]
fn alarms_beside_policies_are_played() {
    // A column may be that of an alarm. 200 is above 60 % for each of 3 tasks, and below it for each of 4.
    let load = file(
        "alarms.csv",
        "minute,web-cpu-high,in\n0,20,100\n4,20,100\n5,200,100\n30,200,100\n",
    );
    let (status, said) = play(&["examples/alarms"], &load, &["--tasks", "2"]);
    assert_eq!(status, Some(0), "{said}");
    assert!(said.contains("policies of ECS: 2 to "), "{said}");
    let changes: Vec<&str> = said
        .lines()
        .filter(|line| line.ends_with("(out)"))
        .collect();
    assert!(!changes.is_empty(), "{said}");
    // Three points of a minute have to be above the threshold.
    assert!(changes[0].starts_with("8 "), "{said}");
    // Without its alarms, a policy is not played.
    let inputs = [
        "service.json",
        "task-definition.json",
        "scalable-targets.json",
        "scaling-policies.json",
    ];
    let inputs = inputs.map(|name| format!("examples/alarms/{name}"));
    let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
    let (status, said) = play(&inputs, &load, &[]);
    assert_ne!(status, Some(0), "{said}");
    assert!(
        said.contains("no alarm triggers this StepScaling policy"),
        "{said}"
    );
}

#[test]
fn what_cannot_be_played_is_said() {
    let load = file("flat.csv", "minute,load\n0,100\n9,100\n");
    let all = ["examples/scaling"];
    for (inputs, load, expected) in [
        (
            &[
                "examples/scaling/service.json",
                "examples/scaling/task-definition.json",
            ][..],
            &*load,
            "has no scaling",
        ),
        (&all, "no-such.csv", "cannot read no-such.csv"),
        (&all, &file("empty.csv", ""), "it is empty"),
        (
            &all,
            &file("other.csv", "minute,memory\n0,1\n"),
            "no column is named cpu or load",
        ),
    ] {
        let (status, said) = play(inputs, load, &[]);
        assert_eq!(status, Some(2), "{inputs:?} {said}");
        assert!(said.contains(expected), "{expected} is missing: {said}");
    }
}

#[test]
fn scheduled_actions_are_played() {
    let load = file("low.csv", "minute,load\n0,10\n1439,10\n");
    let action = file(
        "action.json",
        r#"{"ServiceNamespace": "ecs", "ResourceId": "service/shop/web", "ScalableDimension": "ecs:service:DesiredCount",
            "ScheduledActionName": "noon", "Schedule": "cron(0 12 * * ? *)", "ScalableTargetAction": {"MinCapacity": 6}}"#,
    );
    let (status, said) = play(&["examples/scaling", &action], &load, &[]);
    assert_eq!(status, Some(0), "{said}");
    let noon = said.lines().find(|line| line.starts_with("720 "));
    let noon = noon.unwrap_or_else(|| panic!("nothing at noon: {said}"));
    assert_eq!(noon.matches("6 (noon: 6 to 20 tasks)").count(), 2, "{said}");
}

#[test]
fn an_autoscaler_of_cpu_keeps_a_task() {
    let load = file("idle.csv", "minute,load\n0,0\n60,0\n");
    let scaling = fs::read_to_string(root().join("examples/scaling/scaling.json"));
    let scaling = scaling.expect("it is there");
    let to_zero = scaling.replace("\"MinCapacity\": 2", "\"MinCapacity\": 0");
    assert_ne!(scaling, to_zero);
    let to_zero = file("to-zero.json", &to_zero);
    let inputs = ["service.json", "task-definition.json"];
    let inputs = inputs.map(|name| format!("examples/scaling/{name}"));
    let (status, said) = play(&[&inputs[0], &inputs[1], &to_zero], &load, &[]);
    assert_eq!(status, Some(0), "{said}");
    assert!(said.contains("policies of ECS: 0 to 2 tasks"), "{said}");
    assert!(said.contains("autoscaler: 1 to 2 tasks"), "{said}");
}
