//! Which requests of the operator decide something, and what they are called.

use std::collections::BTreeMap;

use ecs_operator_testbed::Asked;

use crate::normal::without_suffix;

/// A request of an undisturbed run: what it is, and how many of the same came before it. Requests run beside each
/// other, so that their order says less.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Point {
    pub name: String,
    pub earlier: usize,
}

impl Point {
    /// Whether the request is made to change something.
    pub fn writes(&self) -> bool {
        !self.name.starts_with("GET ")
    }
}

impl std::fmt::Display for Point {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)?;
        if self.earlier > 0 {
            write!(f, " ({})", self.earlier + 1)?;
        }
        Ok(())
    }
}

/// The requests of a run that decide something.
#[derive(Debug, Default)]
pub struct Numbers {
    counts: BTreeMap<String, usize>,
    points: Vec<Point>,
}

impl Numbers {
    /// Gives a request its number.
    pub fn next(&mut self, name: String) -> Point {
        let count = self.counts.entry(name.clone()).or_insert(0);
        let earlier = *count;
        *count += 1;
        let point = Point { name, earlier };
        self.points.push(point.clone());
        point
    }

    /// All that have one, in the order in which they came.
    pub fn points(&self) -> &[Point] {
        &self.points
    }
}

/// What a request is called; `None` for one that is not numbered.
///
/// Watches and the lists that they begin with are not, nor is what concerns the lease, what the cluster has, or events,
/// which are published beside the reconciles and decide nothing.
pub fn name(asked: &Asked, namespace: &str) -> Option<String> {
    let mut segments = asked.path.trim_start_matches('/').split('/');
    match segments.next()? {
        "api" => segments.next()?,
        "apis" => segments.nth(1)?,
        _ => return None,
    };
    let mut rest: Vec<&str> = segments.collect();
    if rest.len() > 2 && rest[0] == "namespaces" {
        rest.drain(..2);
    }
    let (resource, rest) = rest.split_first()?;
    let fills_a_cache = asked.method == "GET" && rest.is_empty() && asked.query.contains("limit=");
    if asked.is_watch() || fills_a_cache || ["leases", "events"].contains(resource) {
        return None;
    }
    let mut name = format!("{} {resource}", asked.method);
    let named = asked.named.as_deref().filter(|_| rest.is_empty());
    for part in rest.iter().copied().chain(named) {
        name.push('/');
        name.push_str(&without_suffix(&part.replace(namespace, "NAMESPACE")));
    }
    Some(name)
}

/// Whether a request is about an object of the whole cluster that another run has made.
///
/// What is in no namespace every operator sees, whatever namespaces it is told to look at.
pub fn is_of_another_run(asked: &Asked, namespace: &str) -> bool {
    let volume = asked.path.strip_prefix("/api/v1/persistentvolumes/");
    volume.is_some_and(|name| !name.contains(namespace))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(method: &str, path: &str, query: &str, named: Option<&str>) -> Asked {
        Asked {
            method: method.parse().unwrap(),
            path: path.to_owned(),
            query: query.to_owned(),
            named: named.map(str::to_owned),
        }
    }

    #[test]
    fn what_decides_something_has_a_name() {
        let shop = "/apis/apps/v1/namespaces/shop";
        for (method, path, query, named, expected) in [
            (
                "PATCH",
                format!("{shop}/deployments/web"),
                "",
                None,
                "PATCH deployments/web",
            ),
            (
                "POST",
                format!("{shop}/controllerrevisions"),
                "",
                Some("web.1"),
                "POST controllerrevisions/web.1",
            ),
            (
                "GET",
                format!("{shop}/controllerrevisions"),
                "labelSelector=a",
                None,
                "GET controllerrevisions",
            ),
            (
                "PATCH",
                "/apis/ecs-operator.dev/v1alpha1/namespaces/shop/ecsservices/web/status".to_owned(),
                "",
                None,
                "PATCH ecsservices/web/status",
            ),
            (
                "DELETE",
                "/api/v1/namespaces/shop/pods/web-6d5f8c7b9d-x2x4z".to_owned(),
                "",
                None,
                "DELETE pods/web-6d5f8c7b9d-*",
            ),
            (
                "DELETE",
                "/api/v1/persistentvolumes/efs-shop-1838011a93".to_owned(),
                "",
                None,
                "DELETE persistentvolumes/efs-NAMESPACE-1838011a93",
            ),
        ] {
            let name = name(&asked(method, &path, query, named), "shop");
            assert_eq!(name.as_deref(), Some(expected), "{path}");
        }
    }

    #[test]
    fn requests_for_the_same_are_told_apart() {
        let mut numbers = Numbers::default();
        for name in [
            "PATCH services/web",
            "PATCH deployments/web",
            "PATCH services/web",
        ] {
            numbers.next(name.to_owned());
        }
        let points: Vec<String> = numbers.points().iter().map(Point::to_string).collect();
        let expected = [
            "PATCH services/web",
            "PATCH deployments/web",
            "PATCH services/web (2)",
        ];
        assert_eq!(points, expected);
    }

    #[test]
    fn what_decides_nothing_has_none() {
        for (method, path, query) in [
            ("GET", "/version", ""),
            ("GET", "/apis", ""),
            ("GET", "/apis/apps/v1", ""),
            ("GET", "/api/v1/namespaces/shop/pods", "watch=true"),
            ("GET", "/api/v1/namespaces/shop/pods", "limit=500"),
            (
                "PUT",
                "/apis/coordination.k8s.io/v1/namespaces/shop/leases/x",
                "",
            ),
            ("POST", "/apis/events.k8s.io/v1/namespaces/shop/events", ""),
        ] {
            let asked = asked(method, path, query, None);
            assert_eq!(name(&asked, "shop"), None, "{path}");
        }
    }

    #[test]
    fn volumes_of_other_runs_are_known_by_their_names() {
        let asked = |name| {
            asked(
                "DELETE",
                &format!("/api/v1/persistentvolumes/{name}"),
                "",
                None,
            )
        };
        assert!(!is_of_another_run(&asked("efs-shop-1838011a93"), "shop"));
        assert!(is_of_another_run(&asked("efs-other-1838011a93"), "shop"));
    }
}
