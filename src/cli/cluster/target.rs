//! The object that a name refers to: a service or a task.

use kube::{Api, Client, ResourceExt as _, api::ListParams};

use crate::{
    cli::Error,
    crd::{EcsService, EcsTask},
};

/// A service or a task.
#[derive(Clone, Debug)]
pub(super) enum Target {
    Service(Box<EcsService>),
    Task(Box<EcsTask>),
}

impl Target {
    /// Finds the object of this name, `service/NAME` or `task/NAME`; if a service and a task have the same name, the
    /// service.
    pub(super) async fn find(client: &Client, namespace: &str, name: &str) -> Result<Self, Error> {
        let (kind, plain) = match name.split_once('/') {
            Some((kind @ ("service" | "task"), name)) => (Some(kind), name),
            _ => (None, name),
        };
        if kind != Some("task") {
            let services: Api<EcsService> = Api::namespaced(client.clone(), namespace);
            let found = services.get_opt(plain).await;
            if let Some(found) = found.map_err(Error::request("get the EcsService"))? {
                return Ok(Self::Service(Box::new(found)));
            }
        }
        if kind != Some("service") {
            let tasks: Api<EcsTask> = Api::namespaced(client.clone(), namespace);
            let found = tasks.get_opt(plain).await;
            if let Some(found) = found.map_err(Error::request("get the EcsTask"))? {
                return Ok(Self::Task(Box::new(found)));
            }
        }
        Err(missing(client, namespace, name).await)
    }
}

/// Returns the error that nothing has this name, with the existing names.
pub(super) async fn missing(client: &Client, namespace: &str, name: &str) -> Error {
    let all = ListParams::default();
    let services: Api<EcsService> = Api::namespaced(client.clone(), namespace);
    let tasks: Api<EcsTask> = Api::namespaced(client.clone(), namespace);
    let services = services.list_metadata(&all).await;
    let services = services.map(|list| list.iter().map(|it| it.name_any()).collect::<Vec<_>>());
    let tasks = tasks.list_metadata(&all).await;
    let tasks = tasks.map(|list| list.iter().map(|it| it.name_any()).collect::<Vec<_>>());
    let names = |names: Result<Vec<String>, _>| match names.unwrap_or_default().as_slice() {
        [] => "none".to_owned(),
        names => names.join(", "),
    };
    Error::NotThere {
        name: name.to_owned(),
        namespace: namespace.to_owned(),
        services: names(services),
        tasks: names(tasks),
    }
}
