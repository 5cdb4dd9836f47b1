//! What the policies say about a namespace, as far as a user may read them.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, Client, ResourceExt as _, api::ListParams};
use serde_json::Value;

use super::{
    manifests::{is_namespace, is_policy},
    snapshot::read,
};
use crate::{
    controller::{
        caches::policies::{NAMESPACES, POLICIES, Policies},
        context::Context,
        error::code,
    },
    crd::EcsPolicy,
    policy::Tenancy,
};

/// The label that each namespace has, with its name.
const NAME: &str = "kubernetes.io/metadata.name";

type Labels = BTreeMap<String, String>;

/// The policies of a cluster, and the labels of a namespace.
#[derive(Default)]
pub(super) struct Known {
    /// `None` if the user may not read them.
    policies: Option<Vec<EcsPolicy>>,
    /// `None` if the user may not read the namespace.
    labels: Option<Labels>,
}

impl Known {
    /// Reads both. A cluster without such a kind has no policies, and a namespace that does not exist only its name.
    pub(super) async fn read(client: &Client, namespace: &str) -> Result<Self, kube::Error> {
        let policies: Api<EcsPolicy> = Api::all(client.clone());
        let policies = policies.list(&ListParams::default()).await;
        let namespaces: Api<Namespace> = Api::all(client.clone());
        let labels = namespaces.get_opt(namespace).await;
        Ok(Self {
            policies: permitted(policies.map(|list| list.items))?,
            labels: permitted(labels.map(|found| match found {
                Some(found) => found.labels().clone(),
                None => only_name(namespace),
            }))?,
        })
    }

    /// Returns what is known of a cluster without policies.
    #[cfg(test)]
    pub(super) const fn without_policies() -> Self {
        Self {
            policies: Some(Vec::new()),
            labels: Some(BTreeMap::new()),
        }
    }
}

/// Returns an answer; `None` if the user may not have it, and nothing where there is no such kind.
pub(super) fn permitted<T: Default>(
    answer: Result<T, kube::Error>,
) -> Result<Option<T>, kube::Error> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if code(&error) == Some(404) => Ok(Some(T::default())),
        Err(error) if code(&error) == Some(403) => Ok(None),
        Err(error) => Err(error),
    }
}

fn only_name(namespace: &str) -> Labels {
    BTreeMap::from([(NAME.to_owned(), namespace.to_owned())])
}

/// Returns the policies of an operator that has seen these, with the policies and the namespace that are applied. If
/// something of it is not known, it permits everything.
pub(super) fn policies(
    known: &Known,
    (namespace, tenancy): (&str, Tenancy),
    applied: &[Value],
) -> Policies {
    let (Some(listed), Some(labels)) = (&known.policies, &known.labels) else {
        let policies = Policies::new(Tenancy::Single);
        policies.observe_namespace(namespace, &known.labels.clone().unwrap_or_default());
        return policies;
    };
    let policies = Policies::new(tenancy);
    let mut labels = labels.clone();
    for manifest in applied.iter().filter(|it| is_namespace(it)) {
        if let Some(manifest) = read::<Namespace>(manifest).filter(|it| it.name_any() == namespace)
        {
            labels.extend(manifest.labels().clone());
        }
    }
    policies.observe_namespace(namespace, &labels);
    let applied = applied.iter().filter(|it| is_policy(it));
    let applied = applied.filter_map(read::<EcsPolicy>);
    for policy in listed.iter().cloned().chain(applied) {
        policies.observe(&policy);
    }
    policies
}

/// Says that everything about policies has been seen.
pub(super) fn fill(cx: &Context) {
    for kind in [&POLICIES, &NAMESPACES] {
        let mut filling = cx.catch_up.register(Some(kind));
        let term = filling.term();
        filling.filled(term);
    }
}

/// Returns what the preview does not check.
pub(super) fn unchecked(known: &Known, policies: &Policies, namespace: &str) -> Vec<String> {
    let mut unchecked = Vec::new();
    let unread = match (&known.policies, &known.labels) {
        (Some(_), Some(_)) => None,
        (None, Some(_)) => Some("EcsPolicies".to_owned()),
        (Some(_), None) => Some(format!("the namespace {namespace}")),
        (None, None) => Some(format!("EcsPolicies and the namespace {namespace}")),
    };
    unchecked.extend(unread.map(|what| {
        format!("You may not read {what}, so it is not checked whether the policies permit this.")
    }));
    if policies.restricts_pods(namespace) {
        unchecked.push(format!(
            "The namespace {namespace} enforces a level of Pod Security, and it is not checked whether the pods meet it."
        ));
    }
    unchecked
}
