//! The names of a Service Connect namespace that tasks need in `/etc/hosts`.

use std::sync::Arc;

use kube::ResourceExt as _;

use super::revisions::Revision;
use crate::{
    controller::context::Context,
    crd::{EcsService, Spec},
    ecs,
    input::ConnectHosts,
    source::read_cluster,
    translate::connect_namespace_label,
    validate::TakesDefaults as _,
};

/// Returns the names for a deployment of these inputs: those that the deployment began with, or the current ones if it
/// would begin now. As in ECS, names that come later are for later deployments.
pub(super) fn connect_hosts(
    cx: &Context,
    service: &EcsService,
    request: &ecs::Service,
    cluster: Option<&Spec>,
    (known, inputs): (&[Arc<Revision>], &str),
) -> ConnectHosts {
    let connect = request.service_connect_configuration.as_ref();
    if !connect.is_some_and(|connect| connect.enabled == Some(true)) {
        return ConnectHosts::new();
    }
    if let Some(names) = begun_with(known, inputs) {
        return names.clone();
    }
    let mut request = request.clone();
    if let Some(cluster) = cluster {
        request.complete(&read_cluster(cluster.text()).0);
    }
    let connect = request.service_connect_configuration;
    let Some(name) = connect.and_then(|connect| connect.namespace) else {
        return ConnectHosts::new();
    };
    let namespace = service.namespace().unwrap_or_default();
    cx.children
        .connect_hosts(&namespace, &connect_namespace_label(&name))
}

/// Returns the names that the newest deployment of these inputs began with; `None` if none has begun. The newest revision
/// is the first of those known.
fn begun_with<'k>(known: &'k [Arc<Revision>], inputs: &str) -> Option<&'k ConnectHosts> {
    let mut same = known.iter().filter(|known| known.inputs == inputs);
    same.find_map(|known| Some(&known.kept.rendering.as_ref()?.connect_hosts))
}

#[cfg(test)]
mod tests {
    use std::sync::OnceLock;

    use serde_json::json;

    use super::*;
    use crate::{
        rendering::{ImageDigests, Inputs, Kept, KeptRendering, RenderedBy},
        settings::Settings,
    };

    /// Returns a revision that began with this name, or one of an older operator, which kept no rendering.
    fn revision(number: i64, inputs: &str, name: Option<&str>) -> Arc<Revision> {
        let by = |name: &str| RenderedBy {
            operator: "0.1.0".to_owned(),
            settings: Settings::default(),
            cluster: None,
            connect_hosts: [(name.to_owned(), "10.0.0.1".to_owned())].into(),
            images: ImageDigests::new(),
        };
        Arc::new(Revision {
            object: format!("web.service.{number}"),
            uid: number.to_string(),
            owner: None,
            id: number.to_string(),
            number,
            kept: Kept {
                inputs: Inputs {
                    service: Spec::from(json!({})),
                    annotations: [].into(),
                    family: "web".to_owned(),
                    revision: 1,
                    task_definition: Spec::from(json!({})),
                },
                rendering: name.map(|name| KeptRendering::of_live(&[], "pods", &by(name))),
            },
            inputs: inputs.to_owned(),
            failed: false,
            sorted: true,
            version: None,
            placing: OnceLock::new(),
        })
    }

    #[test]
    fn names_are_those_of_the_newest_deployment_of_the_same_inputs() {
        let known = [
            revision(5, "other", Some("e.internal")),
            revision(4, "same", None),
            revision(3, "same", Some("c.internal")),
            revision(2, "same", Some("b.internal")),
        ];
        let names = begun_with(&known, "same").expect("it has begun");
        assert!(names.keys().eq(["c.internal"]), "{names:?}");
        assert_eq!(begun_with(&known, "new"), None);
    }
}
