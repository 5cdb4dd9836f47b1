//! What the policies say about a namespace, as far as a user may read them.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, Client, ResourceExt as _, api::ListParams};
use serde_json::Value;

use super::snapshot::read;
use crate::{
    controller::{
        caches::policies::{NAMESPACES, POLICIES, Policies},
        context::Context,
        error::code,
    },
    crd::EcsPolicy,
    policy::Tenancy,
};

/// The policies of a cluster and the labels of a namespace.
pub(super) struct Known {
    policies: Vec<EcsPolicy>,
    labels: BTreeMap<String, String>,
}

impl Known {
    /// Reads both; `None` if the user may not read them, or the cluster has no such kind.
    pub(super) async fn read(
        client: &Client,
        namespace: &str,
    ) -> Result<Option<Self>, kube::Error> {
        let policies: Api<EcsPolicy> = Api::all(client.clone());
        let namespaces: Api<Namespace> = Api::all(client.clone());
        let read = async {
            let labels = namespaces.get(namespace).await?.labels().clone();
            let policies = policies.list(&ListParams::default()).await?.items;
            Ok(Self { policies, labels })
        };
        match read.await {
            Ok(known) => Ok(Some(known)),
            Err(error) if matches!(code(&error), Some(403 | 404)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Returns what is known of a cluster without policies.
    #[cfg(test)]
    pub(super) const fn without_policies() -> Self {
        Self {
            policies: Vec::new(),
            labels: BTreeMap::new(),
        }
    }
}

/// Returns the policies of an operator that has seen these. If they are not known, it permits everything.
pub(super) fn policies(
    known: Option<&Known>,
    (namespace, tenancy): (&str, Tenancy),
    applied: &[Value],
) -> Policies {
    let Some(known) = known else {
        let policies = Policies::new(Tenancy::Single);
        policies.observe_namespace(namespace, &BTreeMap::new());
        return policies;
    };
    let policies = Policies::new(tenancy);
    policies.observe_namespace(namespace, &known.labels);
    let applied = applied.iter().filter_map(read::<EcsPolicy>);
    for policy in known.policies.iter().cloned().chain(applied) {
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
pub(super) fn unchecked(
    known: Option<&Known>,
    policies: &Policies,
    namespace: &str,
) -> Vec<String> {
    if known.is_none() {
        return vec![format!(
            "You may not read EcsPolicies and the namespace {namespace}, so it is not checked whether the policies permit this."
        )];
    }
    if policies.restricts_pods(namespace) {
        return vec![format!(
            "The namespace {namespace} enforces a level of Pod Security, and it is not checked whether the pods meet it."
        )];
    }
    Vec::new()
}
