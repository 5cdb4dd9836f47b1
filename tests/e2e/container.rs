//! Containers of the small image whose arguments say what it does.

use serde_json::{Value, json};

/// The image of all containers; `testbed/modules/example` is its program.
pub const IMAGE: &str = "example:1";

/// A container that does this.
pub fn container(name: &str, command: &[&str]) -> Value {
    json!({
        "name": name,
        "image": IMAGE,
        "cpu": 16,
        "memory": 32,
        "command": command,
        "stopTimeout": 2,
    })
}

/// A container that serves on port 8080, and counts as healthy when it does; that is some seconds after its start.
pub fn server(name: &str, seconds: &str) -> Value {
    let mut server = container(name, &["serve", seconds]);
    server["portMappings"] = json!([{"containerPort": 8080}]);
    server["healthCheck"] = json!({
        "command": ["CMD", "/app", "get", "http://localhost:8080/"],
        "interval": 5,
        "timeout": 5,
        "startPeriod": 30,
    });
    server
}

/// The container, once `other` is as `condition` says.
pub fn after(mut container: Value, other: &str, condition: &str) -> Value {
    container["dependsOn"] = json!([{"containerName": other, "condition": condition}]);
    container
}

/// The container, whose end does not stop the task.
pub fn not_essential(mut container: Value) -> Value {
    container["essential"] = json!(false);
    container
}
