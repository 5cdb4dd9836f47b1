//! The image that the object of a builder has: of an `Image` of kpack, or a `Build` of Shipwright.
//!
//! The object is read like any user of the namespace could, and only the API server is asked: what the image needs to be
//! deployed is the same as for any other.

use kube::{
    Api, ResourceExt as _,
    api::ListParams,
    core::{ApiResource, DynamicObject, GroupVersionKind},
};
use serde_json::Value;

use crate::{
    controller::{
        context::Context,
        error::{Error, code},
    },
    crd::{BuilderKind, BuiltBy},
    diagnostic::StateReason,
    validate::unpullable,
};

/// The label of a BuildRun with the name of its Build
/// (<https://github.com/shipwright-io/build/blob/main/pkg/apis/build/v1beta1/build_types.go>).
const OF_BUILD: &str = "build.shipwright.io/name";
/// How many pages of BuildRuns are looked at: 20,000 BuildRuns of one Build.
const PAGES: usize = 40;
/// How many BuildRuns of a Build are looked at, the newest first. Most have succeeded.
const LOOKED_AT: usize = 10;
/// How many of them are listed at a time.
const PAGE: u32 = 500;
/// The longest name of an image that App Runner takes
/// (<https://docs.aws.amazon.com/apprunner/latest/api/API_ImageRepository.html>).
const LONGEST: usize = 1024;
/// What every digest begins with.
const DIGEST: &str = "@sha256:";

/// A kind that a builder has.
#[derive(Clone, Copy)]
struct Kind {
    group: &'static str,
    version: &'static str,
    name: &'static str,
    plural: &'static str,
    /// What installs it.
    builder: &'static str,
    /// The value of the chart that gives the rights.
    value: &'static str,
}

const IMAGE: Kind = Kind {
    group: "kpack.io",
    version: "v1alpha2",
    name: "Image",
    plural: "images",
    builder: "kpack",
    value: "builders.kpack",
};
const BUILD: Kind = Kind {
    group: "shipwright.io",
    version: "v1beta1",
    name: "Build",
    plural: "builds",
    builder: "Shipwright",
    value: "builders.shipwright",
};
const BUILD_RUN: Kind = Kind {
    name: "BuildRun",
    plural: "buildruns",
    ..BUILD
};

/// Why the image of a builder is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unbuilt {
    pub(super) reason: StateReason,
    pub(super) message: String,
    /// Whether the API server may say otherwise when it is asked again.
    pub(super) is_transient: bool,
}

/// The newest image, by its digest.
pub(super) type Reading = Result<String, Unbuilt>;

impl Unbuilt {
    fn new(reason: StateReason, message: String) -> Self {
        Self {
            reason,
            message,
            is_transient: false,
        }
    }

    /// There is an object, but no image.
    pub(super) fn not_yet(message: String) -> Self {
        Self::new(StateReason::ImageNotBuilt, message)
    }
}

/// Asks for the newest image that a builder has made.
pub(super) async fn read_image(cx: &Context, namespace: &str, built_by: &BuiltBy) -> Reading {
    match built_by.kind {
        BuilderKind::Image => of_kpack(cx, namespace, &built_by.name).await,
        BuilderKind::Build => of_shipwright(cx, namespace, &built_by.name).await,
    }
}

async fn of_kpack(cx: &Context, namespace: &str, name: &str) -> Reading {
    let image = get(cx, namespace, (IMAGE, name)).await?;
    match text(&image.data, "/status/latestImage") {
        Some(latest) => by_digest(latest, &format!("status.latestImage of Image {name}")),
        None => Err(Unbuilt::not_yet(format!(
            "Image {name} of kpack has built no image yet{}",
            what_is_wrong(&image.data, "Ready")
        ))),
    }
}

async fn of_shipwright(cx: &Context, namespace: &str, name: &str) -> Reading {
    let build = get(cx, namespace, (BUILD, name)).await?;
    let mut newest = Ok(());
    for run in newest_runs(cx, namespace, name).await? {
        let run = match get(cx, namespace, (BUILD_RUN, &run)).await {
            Ok(run) => run,
            // It was deleted since.
            Err(unbuilt) if unbuilt.reason == StateReason::NotFound => continue,
            Err(unbuilt) => return Err(unbuilt),
        };
        if text(&run.data, "/spec/build/name") != Some(name) {
            // Anybody can give a BuildRun the label.
            continue;
        }
        if !has_succeeded(&run.data) {
            if newest.is_ok() {
                newest = Err((run.name_any(), what_is_wrong(&run.data, "Succeeded")));
            }
            continue;
        }
        match output(&run, &build) {
            Ok(image) => return Ok(image),
            Err(unbuilt) if newest.is_ok() => {
                newest = Err((run.name_any(), format!(": {}", unbuilt.message)));
            }
            Err(_) => {}
        }
    }
    let (run, why) = match newest {
        Ok(()) => (String::new(), String::new()),
        Err((run, why)) => (format!("; the newest is {run}"), why),
    };
    Err(Unbuilt::not_yet(format!(
        "no BuildRun of Build {name} has succeeded and says what it has pushed, of the newest {LOOKED_AT}{run}{why}"
    )))
}

/// Returns the names of the newest BuildRuns of a Build, the newest first. Only their metadata is listed: each has a copy
/// of its Build, and some clusters keep all of them.
async fn newest_runs(cx: &Context, namespace: &str, name: &str) -> Result<Vec<String>, Unbuilt> {
    let api = api(cx, namespace, BUILD_RUN);
    let mut params = ListParams::default()
        .labels(&format!("{OF_BUILD}={name}"))
        .limit(PAGE);
    let mut runs = Vec::new();
    for _ in 0..PAGES {
        let page = api.list_metadata(&params).await;
        let page = page.map_err(|error| failed(error, "list", (BUILD_RUN, name)))?;
        let created = page.items.into_iter().map(|run| {
            let at = run.metadata.creation_timestamp.map(|at| at.0);
            (at, run.metadata.name.unwrap_or_default())
        });
        runs.extend(created);
        runs.sort();
        runs.reverse();
        runs.truncate(LOOKED_AT);
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params = params.continue_token(&token),
            None => break,
        }
    }
    Ok(runs.into_iter().map(|(_, name)| name).collect())
}

/// Returns the image that a BuildRun has pushed. It can push elsewhere than its Build, which may have changed since.
fn output(run: &DynamicObject, build: &DynamicObject) -> Reading {
    let name = run.name_any();
    let image = text(&run.data, "/spec/output/image")
        .or_else(|| text(&run.data, "/status/buildSpec/output/image"))
        .or_else(|| text(&build.data, "/spec/output/image"));
    let digest = text(&run.data, "/status/output/digest");
    let Some((image, digest)) = image.zip(digest) else {
        return Err(Unbuilt::not_yet(format!(
            "BuildRun {name} has succeeded, but does not say which image it has pushed: status.output.digest is missing"
        )));
    };
    // An image that is named by a digest already is another one.
    let (image, _) = image.split_once('@').unwrap_or((image, ""));
    by_digest(&format!("{image}@{digest}"), &format!("BuildRun {name}"))
}

fn by_digest(image: &str, place: &str) -> Reading {
    let digest = image
        .split_once(DIGEST)
        .filter(|(name, _)| !name.is_empty());
    let is_digest = digest.is_some_and(|(_, digits)| {
        digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
    });
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._/:@+".contains(&byte);
    let is_image = image.len() <= LONGEST && image.bytes().all(is_plain);
    if is_digest && is_image && unpullable(image).is_none() {
        return Ok(image.to_owned());
    }
    Err(Unbuilt::not_yet(format!(
        "{place} is {image:?}, which is no image with a digest"
    )))
}

fn has_succeeded(run: &Value) -> bool {
    condition(run, "Succeeded").is_some_and(|it| text(it, "/status") == Some("True"))
}

fn condition<'v>(object: &'v Value, type_: &str) -> Option<&'v Value> {
    let conditions = object.pointer("/status/conditions")?.as_array()?;
    let mut conditions = conditions.iter();
    conditions.find(|it| text(it, "/type") == Some(type_))
}

/// Returns what a builder says of something that has failed.
fn what_is_wrong(object: &Value, type_: &str) -> String {
    let failed = condition(object, type_).filter(|it| text(it, "/status") == Some("False"));
    let said = failed.map(|it| {
        let said = ["/message", "/reason"].map(|member| text(it, member));
        said.into_iter().flatten().next()
    });
    match said {
        Some(Some(why)) => format!(": {why}"),
        Some(None) => ": it has failed".to_owned(),
        None => String::new(),
    }
}

fn text<'v>(value: &'v Value, path: &str) -> Option<&'v str> {
    let text = value.pointer(path)?.as_str()?;
    (!text.is_empty()).then_some(text)
}

fn api(cx: &Context, namespace: &str, kind: Kind) -> Api<DynamicObject> {
    let of = GroupVersionKind::gvk(kind.group, kind.version, kind.name);
    let of = ApiResource::from_gvk_with_plural(&of, kind.plural);
    Api::namespaced_with(cx.client.clone(), namespace, &of)
}

async fn get(
    cx: &Context,
    namespace: &str,
    (kind, name): (Kind, &str),
) -> Result<DynamicObject, Unbuilt> {
    let found = api(cx, namespace, kind).get(name).await;
    found.map_err(|error| failed(error, "get", (kind, name)))
}

/// Returns what an error means for somebody who waits for an image.
fn failed(error: kube::Error, verb: &'static str, (kind, name): (Kind, &str)) -> Unbuilt {
    let Kind {
        group,
        version,
        name: kind,
        builder,
        value,
        ..
    } = kind;
    match &error {
        // Where the kind does not exist, the answer is no status.
        kube::Error::Api(status) if status.code == 404 && status.reason == "NotFound" => {
            Unbuilt::new(
                StateReason::NotFound,
                format!("there is no {kind} {name} of {group} in this namespace"),
            )
        }
        _ => match code(&error) {
            Some(404) => Unbuilt::new(
                StateReason::NotFound,
                format!("the cluster has no {kind} of {group}/{version}: install {builder}"),
            ),
            Some(403) => Unbuilt::new(
                StateReason::Forbidden,
                format!(
                    "the operator may not {verb} {kind} {name} of {group}: set {value} in the Helm chart, which gives it the rights"
                ),
            ),
            _ => {
                let error = Error::Api {
                    verb,
                    kind: kind.to_owned(),
                    name: name.to_owned(),
                    source: Box::new(error),
                };
                Unbuilt {
                    reason: error.reason(),
                    is_transient: error.is_transient(),
                    message: error.to_string(),
                }
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(data: Value) -> DynamicObject {
        let kind = GroupVersionKind::gvk(BUILD_RUN.group, BUILD_RUN.version, BUILD_RUN.name);
        DynamicObject::new("run", &ApiResource::from_gvk(&kind)).data(data)
    }

    #[test]
    fn a_run_has_pushed_where_it_was_told_to() {
        let digest = format!("sha256:{}", "0a".repeat(32));
        let image = |image: &str| json!({"output": {"image": image}});
        let status = |more: Value| {
            let mut status = json!({"output": {"digest": digest}});
            if let (Value::Object(status), Value::Object(more)) = (&mut status, more) {
                status.extend(more);
            }
            status
        };
        let then = json!({"buildSpec": image("a/then:1")});
        for (spec, status, expected) in [
            (image("a/own"), status(then.clone()), Some("a/own")),
            (json!({}), status(then), Some("a/then:1")),
            (json!({}), status(json!({})), Some("a/build:1")),
            (image("a/own@sha256:00"), status(json!({})), Some("a/own")),
            (json!({}), json!({}), None),
            (json!({}), json!({"output": {"digest": "latest"}}), None),
        ] {
            let run = object(json!({"spec": spec, "status": status}));
            let found = output(&run, &object(json!({"spec": image("a/build:1")})));
            let expected = expected.map(|image| format!("{image}@{digest}"));
            assert_eq!(found.ok(), expected, "{spec} {status}");
        }
    }

    #[test]
    fn only_an_image_with_a_digest_is_one() {
        let digits = "0a".repeat(32);
        for (image, expected) in [
            (format!("registry:5000/a/b@sha256:{digits}"), true),
            (format!("a:1@sha256:{digits}"), true),
            (format!("@sha256:{digits}"), false),
            (format!("a@sha256:{digits}0"), false),
            (format!("a@sha256:{}", digits.replace('a', "/")), false),
            ("a:1".to_owned(), false),
            (format!("A/b@sha256:{digits}"), false),
            (format!("${{a}}/b@sha256:{digits}"), false),
            (format!(" a@sha256:{digits}"), false),
            (format!("{}@sha256:{digits}", "a".repeat(1024)), false),
            (String::new(), false),
        ] {
            assert_eq!(by_digest(&image, "it").is_ok(), expected, "{image}");
        }
    }

    #[test]
    fn what_has_failed_is_told() {
        let conditions = |status: &str, message: &str| {
            json!({"status": {"conditions": [
                {"type": "Other", "status": "False", "message": "no"},
                {"type": "Ready", "status": status, "message": message},
            ]}})
        };
        for (object, expected) in [
            (json!({}), ""),
            (conditions("Unknown", "wait"), ""),
            (conditions("False", "no builder"), ": no builder"),
            (conditions("False", ""), ": it has failed"),
        ] {
            assert_eq!(what_is_wrong(&object, "Ready"), expected, "{object}");
        }
    }
}
