//! Requests as the API server receives them: the object, and what to do with it.

use std::fmt;

use http::{Method, header::CONTENT_TYPE, request::Parts};
use serde_json::Value;

/// The location of an object; a list of a whole namespace has no name, and a list of all namespaces no namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// The API group; empty for the core group.
    pub(super) group: String,
    /// The plural name of the kind, as in URLs.
    pub(super) plural: String,
    pub(super) namespace: String,
    pub(super) name: String,
}

impl Place {
    /// Returns the place of an object in the namespace of all scenarios.
    pub(super) fn new(group: &str, plural: &str, name: &str) -> Self {
        Self {
            group: group.to_owned(),
            plural: plural.to_owned(),
            namespace: NAMESPACE.to_owned(),
            name: name.to_owned(),
        }
    }

    /// Whether this is the place of an object of this kind.
    pub(super) fn is_of(&self, group: &str, plural: &str) -> bool {
        self.group == group && self.plural == plural
    }
}

/// The namespace of all scenarios.
pub(super) const NAMESPACE: &str = "shop";

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.plural, self.name)
    }
}

/// A request.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) place: Place,
    pub(super) subresource: String,
    pub(super) verb: Verb,
    /// The body of the request.
    pub(super) body: Value,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Get,
    /// Each element is a label, or a label and its value separated by `=`.
    List(Vec<String>),
    Create,
    Apply,
    /// A merge patch.
    Merge,
    /// A strategic merge patch.
    Strategic,
    Delete,
}

impl Request {
    /// Parses a request; `None` if this API server does not support it.
    pub(super) fn read(head: &Parts, body: &[u8]) -> Option<Self> {
        let mut segments = head.uri.path().split('/').filter(|it| !it.is_empty());
        let group = match segments.next()? {
            "api" => "",
            "apis" => segments.next()?,
            _ => return None,
        };
        let _version = segments.next()?;
        let rest: Vec<&str> = segments.collect();
        let (namespace, rest) = match rest.as_slice() {
            ["namespaces", namespace, rest @ ..] => (*namespace, rest),
            rest => ("", rest),
        };
        let place = Place {
            group: group.to_owned(),
            plural: (*rest.first()?).to_owned(),
            namespace: namespace.to_owned(),
            name: rest.get(1).copied().unwrap_or_default().to_owned(),
        };
        let verb = match head.method {
            Method::GET if place.name.is_empty() => Verb::List(selector(head)),
            Method::GET => Verb::Get,
            Method::POST => Verb::Create,
            Method::DELETE => Verb::Delete,
            Method::PATCH => match head.headers.get(CONTENT_TYPE)?.to_str().ok()? {
                "application/apply-patch+yaml" => Verb::Apply,
                "application/merge-patch+json" => Verb::Merge,
                "application/strategic-merge-patch+json" => Verb::Strategic,
                _ => return None,
            },
            _ => return None,
        };
        Some(Self {
            place,
            subresource: rest.get(2).copied().unwrap_or_default().to_owned(),
            verb,
            body: serde_json::from_slice(body).unwrap_or_default(),
        })
    }

    /// Whether it writes an event, on which no decision depends.
    pub(super) fn is_event(&self) -> bool {
        self.place.is_of("events.k8s.io", "events")
    }

    /// Whether it changes something.
    pub(super) fn is_write(&self) -> bool {
        !matches!(self.verb, Verb::Get | Verb::List(_))
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = match &self.verb {
            Verb::Get => "get",
            Verb::List(_) => "list",
            Verb::Create => "create",
            Verb::Apply => "apply",
            Verb::Merge | Verb::Strategic => "patch",
            Verb::Delete => "delete",
        };
        write!(f, "{verb} {}", self.place)?;
        if !self.subresource.is_empty() {
            write!(f, "/{}", self.subresource)?;
        }
        Ok(())
    }
}

fn selector(head: &Parts) -> Vec<String> {
    let mut parts = head.uri.query().unwrap_or_default().split('&');
    let selector = parts.find_map(|part| part.strip_prefix("labelSelector="));
    let selector = unescaped(selector.unwrap_or_default());
    let terms = selector.split(',').filter(|term| !term.is_empty());
    terms.map(str::to_owned).collect()
}

/// Decodes a part of a URL.
fn unescaped(text: &str) -> String {
    let mut parts = text.split('%');
    let mut plain = parts.next().unwrap_or_default().replace('+', " ");
    for part in parts {
        let (code, rest) = part.split_at(2);
        let code = u8::from_str_radix(code, 16).expect("an escape has two hexadecimal digits");
        plain.push(char::from(code));
        plain.push_str(&rest.replace('+', " "));
    }
    plain
}

#[test]
fn a_request_is_read() {
    let read = |method: &str, uri: &str, type_: &str| {
        let request = http::Request::builder().method(method).uri(uri);
        let request = request.header(CONTENT_TYPE, type_).body(());
        let (head, ()) = request.expect("it is a request").into_parts();
        Request::read(&head, b"{}")
    };
    let uri = "/apis/apps/v1/namespaces/shop/controllerrevisions?&labelSelector=a.b%2Fc%3Dweb%2Cd";
    let list = read("GET", uri, "").expect("it is known");
    assert_eq!(
        list.verb,
        Verb::List(vec!["a.b/c=web".to_owned(), "d".to_owned()])
    );
    assert!(!list.is_write());
    let uri = "/api/v1/namespaces/shop/pods/web/eviction?";
    let evict = read("POST", uri, "").expect("it is known");
    assert_eq!(evict.place, Place::new("", "pods", "web"));
    assert_eq!(evict.to_string(), "create pods/web/eviction");
    let volume = read("GET", "/api/v1/persistentvolumes/data", "").expect("it is known");
    assert_eq!(volume.place.namespace, "");
    let apply = read(
        "PATCH",
        "/api/v1/persistentvolumes/data",
        "application/apply-patch+yaml",
    );
    assert_eq!(apply.map(|it| it.verb), Some(Verb::Apply));
    assert!(read("PUT", uri, "").is_none() && read("GET", "/version", "").is_none());
}
