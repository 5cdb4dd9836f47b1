//! `ecs-operator images`: what becomes of the images that services use, from files.

use serde_json::{Value, json};

use crate::program::Folder;

const REPOSITORY: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/shop/web";
const POLICY: &str = r#"{"rules": [
    {"rulePriority": 1, "selection": {"tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 14},
        "action": {"type": "expire"}},
    {"rulePriority": 5, "selection": {"tagStatus": "tagged", "tagPatternList": ["v*"], "countType": "imageCountMoreThan", "countNumber": 2},
        "action": {"type": "expire"}}
]}"#;

fn digest(of: &str) -> String {
    format!("sha256:{}", of.repeat(32))
}

fn image(of: &str, tags: &[&str], pushed_at: &str, more: &Value) -> Value {
    let mut image = json!({
        "registryId": "123456789012", "repositoryName": "shop/web", "imageDigest": digest(of), "imageTags": tags,
        "imagePushedAt": pushed_at, "imageStatus": "ACTIVE",
    });
    for (name, value) in more.as_object().into_iter().flatten() {
        image[name] = value.clone();
    }
    image
}

/// Images of the first days of January.
fn images() -> Value {
    json!({"imageDetails": [
        image("0a", &["v1"], "2026-01-01T00:00:00Z", &json!({})),
        image("0b", &["v2"], "2026-01-02T00:00:00Z", &json!({})),
        image("0c", &["v3"], "2026-01-03T00:00:00Z", &json!({})),
        image("0d", &[], "2026-01-10T00:00:00Z", &json!({})),
        image("0e", &["old"], "2025-06-01T00:00:00Z", &json!({"imageStatus": "ARCHIVED"})),
        image("0f", &["latest"], "2026-01-11T00:00:00Z", &json!({})),
    ]})
}

fn service(name: &str, running: &str, completed: &str, more: &Value) -> Value {
    let mut status = json!({
        "deployments": [
            {"id": "2", "status": "PRIMARY", "serviceRevision": running},
            {"id": "1", "status": "INACTIVE", "serviceRevision": "before"},
        ],
        "completedRevision": completed, "taskDefinition": "web:9",
    });
    for (name, value) in more.as_object().into_iter().flatten() {
        status[name] = value.clone();
    }
    json!({
        "apiVersion": "ecs-operator.dev/v1alpha1", "kind": "EcsService",
        "metadata": {"namespace": "shop", "name": name}, "spec": {"taskDefinition": "web"}, "status": status,
    })
}

/// A service revision with one image, and the digest that its tag had.
fn revision(service: &str, id: &str, number: u32, image: &str, digest: Option<&str>) -> Value {
    let mut data = json!({
        "service": {}, "family": "web", "revision": number,
        "taskDefinition": {"containerDefinitions": [{"name": "web", "image": image}, {"name": "log", "image": "fluent-bit"}]},
    });
    if let Some(digest) = digest {
        data["rendering"] = json!({
            "operator": "0.1.0", "kubernetes": "1.36", "settings": "", "pods": id, "digest": "", "healthyAfter": 0,
            "images": {image: digest}, "compressed": "",
        });
    }
    let labels =
        json!({"ecs-operator.dev/service": service, "ecs-operator.dev/service-revision": id});
    json!({
        "apiVersion": "apps/v1", "kind": "ControllerRevision", "revision": number, "data": data,
        "metadata": {"namespace": "shop", "name": format!("{service}.{id}"), "labels": labels},
    })
}

fn list(items: &[Value]) -> String {
    json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string()
}

/// Returns the exit status, and what is printed for these objects.
fn run(name: &str, items: &[Value], more: &[&str]) -> (Option<i32>, String) {
    let folder = Folder::new(
        &format!("images-{name}"),
        &[
            ("images.json", &images().to_string()),
            ("policy.json", POLICY),
            ("services.yaml", &list(items)),
        ],
    );
    let arguments = [
        "images",
        "--images",
        "images.json",
        "-f",
        "services.yaml",
        "--at",
        "2026-01-16T10:00:00Z",
    ];
    let run = folder.run(&[&arguments, more].concat());
    (run.status, run.stdout + &run.stderr)
}

#[test]
fn images_that_go_are_listed_with_their_rules_the_most_urgent_first() {
    let tag = |tag: &str| format!("{REPOSITORY}:{tag}");
    let items = [
        service("web", "w3", "w2", &json!({})),
        revision("web", "w3", 3, &tag("v3"), Some(&digest("0c"))),
        revision("web", "w2", 2, &tag("v1"), Some(&digest("0a"))),
        revision("web", "w1", 1, &tag("gone"), None),
        // Pushed again since: its tag names another image.
        service("api", "a1", "a1", &json!({})),
        revision("api", "a1", 4, &tag("latest"), Some(&digest("0d"))),
        service("old", "o1", "o1", &json!({})),
        revision(
            "old",
            "o1",
            5,
            &format!("{REPOSITORY}@{}", digest("0e")),
            None,
        ),
        service("stays", "s1", "s1", &json!({})),
        revision("stays", "s1", 6, &tag("latest"), None),
    ];
    let (status, said) = run("all", &items, &["--policy", "policy.json"]);
    assert_eq!(status, Some(1), "{said}");
    let rows: Vec<Vec<&str>> = said
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    let expected = [
        "SERVICE USE REVISION IMAGE WHAT WHEN RULE",
        "shop/web earlier web:1 gone is gone",
        "shop/old running web:5 sha256:0e0e0e0e0e0e is archived",
        "shop/web rollback web:2 v1@sha256:0a0a0a0a0a0a expires within a day 5",
        "shop/api running web:4 latest@sha256:0d0d0d0d0d0d expires 2026-01-24 00:00 UTC 1",
        "shop/web running web:3 v3@sha256:0c0c0c0c0c0c expires after 2 more pushes 5",
        "",
        "123456789012/shop/web: of 6 uses of its images, 1 are gone, 1 archived, 3 taken by the policy, and 1 stay",
    ];
    let rows: Vec<String> = rows.iter().map(|words| words.join(" ")).collect();
    assert_eq!(rows, expected, "{said}");
}

#[test]
fn the_exit_status_is_about_the_next_days() {
    let image = format!("{REPOSITORY}:latest");
    let items = [
        service("api", "a1", "a1", &json!({})),
        revision("api", "a1", 4, &image, Some(&digest("0d"))),
    ];
    let policy = ["--policy", "policy.json"];
    // It expires on the 24th.
    for (days, expected) in [("7", 0), ("8", 1)] {
        let (status, said) = run("days", &items, &[&policy[..], &["--days", days]].concat());
        assert_eq!(status, Some(expected), "{said}");
    }
    // Without a policy, nothing expires.
    let (status, said) = run("days", &items, &[]);
    assert_eq!(status, Some(0), "{said}");
    assert!(said.contains("and 1 stay"), "{said}");
    let (status, said) = run("days", &items, &["--region", "us-east-1"]);
    assert_eq!(status, Some(0), "{said}");
    assert!(said.contains("no service uses an image of"), "{said}");
}

#[test]
fn images_that_are_not_known_are_not_taken_to_stay() {
    let (status, said) = run("unknown", &[service("web", "w3", "w2", &json!({}))], &[]);
    assert_eq!(status, Some(2), "{said}");
    assert!(
        said.contains("the images of shop/web (running) are not known")
            && said.contains("(rollback)"),
        "{said}"
    );
    // Nothing is said of what runs, and there may be something.
    let image = format!("{REPOSITORY}:latest");
    for (deployments, why) in [
        (json!([]), "its status has no deployments"),
        (
            json!([{"id": "1", "status": "PRIMARY"}]),
            "a deployment in its status has no service revision",
        ),
    ] {
        let items = [
            service("web", "w3", "w3", &json!({"deployments": deployments})),
            revision("web", "w3", 3, &image, Some(&digest("0f"))),
        ];
        let (status, said) = run("silent", &items, &[]);
        assert_eq!(status, Some(2), "{said}");
        let expected = format!("the images of shop/web (running) are not known, because {why}");
        assert!(said.contains(&expected), "{said}");
    }
    // What is inactive matters no more.
    let deployments = json!([
        {"id": "2", "status": "PRIMARY", "serviceRevision": "w3"}, {"id": "1", "status": "INACTIVE"},
    ]);
    let items = [
        service("web", "w3", "w3", &json!({"deployments": deployments})),
        revision("web", "w3", 3, &image, Some(&digest("0f"))),
    ];
    let (status, said) = run("silent", &items, &[]);
    assert_eq!(status, Some(0), "{said}");
    // The status has what runs, and nothing else.
    let image = format!("{REPOSITORY}:v1");
    let resolved = json!({"resolvedImages": [{"image": image, "imageDigest": digest("0a")}]});
    let (status, said) = run(
        "status",
        &[service("web", "w3", "w3", &resolved)],
        &["--policy", "policy.json"],
    );
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("v1@sha256:0a0a0a0a0a0a  expires"), "{said}");
}

#[test]
fn what_does_not_belong_together_is_refused() {
    let other_region = REPOSITORY.replace("eu-west-1", "us-east-1");
    let items = [
        service("web", "w3", "w3", &json!({})),
        revision("web", "w3", 3, &format!("{REPOSITORY}:v3"), None),
        service("api", "a1", "a1", &json!({})),
        revision("api", "a1", 3, &format!("{other_region}:v3"), None),
    ];
    let (status, said) = run("regions", &items, &[]);
    assert_eq!(status, Some(2), "{said}");
    assert!(
        said.contains("in eu-west-1 and us-east-1: say with --region"),
        "{said}"
    );
    let folder = Folder::new(
        "images-wrong",
        &[
            ("images.json", &images().to_string()),
            ("services.json", &list(&items)),
            (
                "other.json",
                r#"{"repositoryName": "api", "lifecyclePolicyText": "{\"rules\": [{\"rulePriority\": 1, \"selection\": {\"tagStatus\": \"any\", \"countType\": \"imageCountMoreThan\", \"countNumber\": 1}, \"action\": {\"type\": \"expire\"}}]}"}"#,
            ),
            (
                "invalid.json",
                &POLICY.replace("\"countUnit\": \"days\", ", ""),
            ),
            ("empty.json", r#"{"imageDetails": []}"#),
            ("none.yaml", "kind: ConfigMap\napiVersion: v1\n"),
        ],
    );
    for (arguments, expected) in [
        (
            ["--images", "images.json", "--policy", "other.json"],
            "has the policy of api",
        ),
        (
            ["--images", "images.json", "--policy", "absent.json"],
            "cannot read absent.json",
        ),
        (
            ["--images", "images.json", "--policy", "invalid.json"],
            "error[LifecyclePolicyInvalid]: an age has a unit",
        ),
        (
            ["--images", "services.json", "--region", "eu-west-1"],
            "services.json is no output of aws ecr describe-images",
        ),
        (
            ["--images", "empty.json", "--region", "eu-west-1"],
            "nothing says which repository",
        ),
    ] {
        let all = [&["images", "-f", "services.json"][..], &arguments].concat();
        let run = folder.run(&all);
        assert_eq!(run.status, Some(2), "{arguments:?} {}", run.stderr);
        assert!(run.stderr.contains(expected), "{expected}: {}", run.stderr);
        assert_eq!(run.stdout, "", "{arguments:?}");
    }
    let run = folder.run(&["images", "--images", "images.json", "-f", "none.yaml"]);
    assert_eq!(run.status, Some(2), "{}", run.stderr);
    assert!(
        run.stderr.contains("there is no EcsService"),
        "{}",
        run.stderr
    );
}
