//! Discovery of the cluster's version and add-ons.

use std::{collections::BTreeSet, time::Duration};

use kube::Client;
use tokio::time::sleep;

use crate::{
    controller::{
        app_runner::APP_RUNNER_SERVICES,
        caches::child_kind::{ADDON_GROUPS, ALL, ChildKind, ECR_TOKEN},
        capacity_provider::CAPACITY_PROVIDERS,
        error::code,
        pipe::PIPES,
        rule::RULES,
        schedule::SCHEDULES,
    },
    settings::{Addon, EcrPullSecrets, NEWEST_KUBERNETES_MINOR, OLDEST_KUBERNETES_MINOR},
};

/// The capabilities of the cluster.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cluster {
    /// The kinds of add-ons that it serves. An API group is not enough: one of its kinds may be missing, and a watch of
    /// that kind would never start.
    served: BTreeSet<&'static ChildKind>,
    /// The group versions whose kinds the API server does not report.
    unknown: BTreeSet<String>,
}

/// How often to ask at startup.
const TRIES: u32 = 10;
/// The wait between two tries.
const PAUSE: Duration = Duration::from_secs(1);

impl Cluster {
    /// Asks the API server. If it does not report the kinds of a group version, those in `before` are kept.
    ///
    /// # Errors
    ///
    /// When it does not report the groups.
    pub(crate) async fn discover(client: &Client, before: &Self) -> Result<Self, kube::Error> {
        let groups = client.list_api_groups().await?.groups;
        let is_there = |kind: &ChildKind| {
            let group = groups.iter().find(|group| group.name == kind.group);
            let mut versions = group.into_iter().flat_map(|group| &group.versions);
            versions.any(|version| version.version == kind.version)
        };
        let kinds = optional().filter(|kind| is_there(kind));
        let asked: BTreeSet<(&str, &str)> = kinds.map(|kind| (kind.group, kind.version)).collect();
        let (mut served, mut unknown) = (BTreeSet::new(), BTreeSet::new());
        for (group, version) in asked {
            let of_version =
                optional().filter(|kind| (kind.group, kind.version) == (group, version));
            let api_version = format!("{group}/{version}");
            match client.list_api_group_resources(&api_version).await {
                Ok(list) => {
                    let is_served =
                        |kind: &&ChildKind| list.resources.iter().any(|r| r.name == kind.plural);
                    served.extend(of_version.filter(is_served));
                }
                // It was removed after the groups were listed.
                Err(error) if code(&error) == Some(404) => {}
                Err(error) => {
                    tracing::warn!(%error, api_version, "cannot discover which kinds exist");
                    served.extend(of_version.filter(|kind| before.served.contains(kind)));
                    unknown.insert(api_version);
                }
            }
        }
        Ok(Self { served, unknown })
    }

    /// Asks the API server until it reports all groups, but not forever: one group may be broken.
    ///
    /// # Errors
    ///
    /// When it does not report the groups.
    pub(crate) async fn first(client: &Client) -> Result<Self, kube::Error> {
        let mut found = Self::discover(client, &Self::default()).await?;
        for _ in 1..TRIES {
            if found.knows_all() {
                break;
            }
            sleep(PAUSE).await;
            found = Self::discover(client, &found).await?;
        }
        Ok(found)
    }

    /// Whether it serves different kinds. A group that is temporarily not reported makes no difference.
    #[must_use]
    pub(crate) fn differs(&self, other: &Self) -> bool {
        self.served != other.served
    }

    /// Whether the API server has reported the kinds of all groups.
    #[must_use]
    pub(crate) fn knows_all(&self) -> bool {
        self.unknown.is_empty()
    }

    /// Returns the add-ons that have a kind in the cluster.
    #[must_use]
    pub(crate) fn addons(&self) -> BTreeSet<Addon> {
        let is_there = |group: &str| self.served.iter().any(|kind| kind.group == group);
        let there = ADDON_GROUPS.iter().filter(|(_, group)| is_there(group));
        there.map(|(addon, _)| *addon).collect()
    }

    /// Returns which pull secrets for ECR the cluster can have, if these are asked for.
    #[must_use]
    pub(crate) fn ecr_pull_secrets(&self, asked: EcrPullSecrets) -> EcrPullSecrets {
        asked.in_cluster(self.serves(&ECR_TOKEN))
    }

    /// Whether the cluster has a kind that it may lack.
    #[must_use]
    pub(crate) fn serves(&self, kind: &ChildKind) -> bool {
        self.served.contains(kind)
    }

    /// Whether the cluster may have a kind that it may lack: the API server has not said that it does not.
    #[must_use]
    pub(crate) fn may_serve(&self, kind: &ChildKind) -> bool {
        self.serves(kind) || self.unknown.contains(&kind.api_version())
    }

    /// Returns the kinds that the cluster supports.
    #[must_use]
    pub(crate) fn kinds(&self) -> Vec<&'static ChildKind> {
        let is_served = |kind: &&ChildKind| kind.built_in || self.served.contains(kind);
        ALL.iter().filter(is_served).collect()
    }
}

/// The kinds of custom resources that definitions of an older version do not have.
pub(crate) static NEWER: [&ChildKind; 5] = [
    &APP_RUNNER_SERVICES,
    &CAPACITY_PROVIDERS,
    &PIPES,
    &RULES,
    &SCHEDULES,
];

/// Returns the kinds that a cluster may lack.
fn optional() -> impl Iterator<Item = &'static ChildKind> {
    let of_addons = ALL.iter().filter(|kind| !kind.built_in);
    of_addons.chain(NEWER)
}

/// Returns the minor version of the cluster, or the nearest one that this operator knows.
///
/// # Errors
///
/// When the request fails.
pub(crate) async fn kubernetes_minor(client: &Client) -> Result<u32, kube::Error> {
    let version = client.apiserver_version().await?;
    // Some clusters report `36+`.
    let digits: String = version
        .minor
        .chars()
        .take_while(char::is_ascii_digit)
        .collect();
    let minor = digits.parse().unwrap_or(OLDEST_KUBERNETES_MINOR);
    if !(OLDEST_KUBERNETES_MINOR..=NEWEST_KUBERNETES_MINOR).contains(&minor) {
        tracing::warn!(
            version = version.git_version,
            "this version of Kubernetes is not supported; supported versions: 1.{OLDEST_KUBERNETES_MINOR} to 1.{NEWEST_KUBERNETES_MINOR}"
        );
    }
    Ok(minor.clamp(OLDEST_KUBERNETES_MINOR, NEWEST_KUBERNETES_MINOR))
}

#[cfg(test)]
mod tests {
    use std::{
        future::ready,
        sync::{
            Arc,
            atomic::{AtomicU32, Ordering},
        },
    };

    use http::{Request, Response};
    use kube::client::Body;
    use serde_json::{Value, json};
    use tower::{BoxError, service_fn};

    use super::*;

    /// Returns an API server with External Secrets and half of KEDA; it does not report External Secrets if `dumb`.
    fn server(dumb: bool) -> Client {
        let group = |name: &str, version: &str| {
            let version = json!({"groupVersion": format!("{name}/{version}"), "version": version});
            json!({"name": name, "versions": [version]})
        };
        let list = |group: &str, names: &[&str]| {
            let resource = |name: &&str| json!({"name": name, "kind": "", "namespaced": true, "singularName": "", "verbs": []});
            let resources: Vec<Value> = names.iter().map(resource).collect();
            json!({"groupVersion": group, "resources": resources})
        };
        let groups =
            json!({"groups": [group("external-secrets.io", "v1"), group("keda.sh", "v1alpha1")]});
        let keda = list("keda.sh/v1alpha1", &["scaledobjects"]);
        let secrets = list(
            "external-secrets.io/v1",
            &["externalsecrets", "secretstores"],
        );
        let answer = move |request: Request<Body>| {
            let (code, answer) = match request.uri().path() {
                "/apis" => (200, groups.clone()),
                "/apis/keda.sh/v1alpha1" => (200, keda.clone()),
                "/apis/external-secrets.io/v1" if !dumb => (200, secrets.clone()),
                _ => (503, json!({"kind": "Status", "code": 503})),
            };
            let body = Body::from(answer.to_string().into_bytes());
            let answer = Response::builder().status(code).body(body);
            ready(Ok::<_, BoxError>(answer.expect("it is valid")))
        };
        Client::new(service_fn(answer), "default")
    }

    fn names(cluster: &Cluster) -> Vec<&str> {
        let kinds = cluster.kinds().into_iter();
        kinds
            .filter(|kind| !kind.built_in)
            .map(|kind| kind.kind)
            .collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_group_that_is_not_told_at_the_start_is_asked_for_again_but_not_for_ever() {
        let asked = Arc::new(AtomicU32::new(0));
        let count = asked.clone();
        let slow = move |request: Request<Body>| {
            let count = count.clone();
            async move {
                let dumb =
                    request.uri().path() != "/apis" && count.fetch_add(1, Ordering::SeqCst) < 3;
                let request = Request::get(request.uri().path()).body(Vec::new());
                let server = server(dumb);
                let text = server.request_text(request.expect("it is valid")).await;
                let (code, text) = match text {
                    Ok(text) => (200, text),
                    Err(_) => (503, json!({"kind": "Status", "code": 503}).to_string()),
                };
                let answer = Response::builder()
                    .status(code)
                    .body(Body::from(text.into_bytes()));
                Ok::<_, BoxError>(answer.expect("it is valid"))
            }
        };
        let client = Client::new(service_fn(slow), "default");
        let found = Cluster::first(&client).await.expect("it tells");
        assert!(found.knows_all(), "{found:?}");
        assert_eq!(names(&found).len(), 3);
        let never = Cluster::first(&server(true)).await.expect("it tells");
        assert!(!never.knows_all());
    }

    #[tokio::test]
    async fn add_ons_are_found_kind_by_kind() {
        let nothing = Cluster::default();
        let found = Cluster::discover(&server(false), &nothing).await;
        let found = found.expect("it tells");
        let all = ["ExternalSecret", "SecretStore", "ScaledObject"];
        assert_eq!(names(&found), all);
        let addons = BTreeSet::from([Addon::ExternalSecrets, Addon::Keda]);
        assert_eq!(found.addons(), addons);
        assert!(found.knows_all());
        // A group that is not reported is not gone.
        let again = Cluster::discover(&server(true), &found).await;
        let again = again.expect("it tells");
        assert_eq!(names(&again), all);
        assert!(!again.knows_all());
        assert!(
            !again.differs(&found),
            "nobody has to be reconciled for that"
        );
        assert!(found.differs(&nothing));
        let first = Cluster::discover(&server(true), &nothing).await;
        assert_eq!(names(&first.expect("it tells")), ["ScaledObject"]);
    }
}
