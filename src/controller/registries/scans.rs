//! What scans of ECR have found in images
//! (<https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeImageScanFindings.html>).

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex},
    time::Duration,
};

use futures::{StreamExt as _, stream};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{
    sync::Mutex as AsyncMutex,
    time::{Instant, timeout},
};

use super::{CONCURRENT, DigestFailure, Registries, ecr::Ecr};
use crate::{
    controller::context::lock,
    ecr::{Scan, ScanPage, ScanRules, ScanState},
    image::{EcrRegistry, TaggedImage},
};

/// How long it may take to read what was found in an image. A deployment waits for it.
const LONGEST: Duration = Duration::from_secs(5);
/// How long findings of a digest are good for other deployments that begin.
const FRESH: Duration = Duration::from_mins(1);
/// How long it is good that there are none yet, or none can be had: as long as many deployments need to begin with a new
/// image, each of which would otherwise wait for the questions of all others.
const BRIEF: Duration = Duration::from_secs(15);
/// How many findings a page has.
const PAGE: u32 = 500;
/// How many pages are read.
const MOST_PAGES: usize = 20;
/// How many platforms of an image are asked for.
const MOST_PLATFORMS: usize = 16;
/// The manifests of images for several platforms.
const INDEXES: [&str; 2] = [
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
];

/// An image about which ECR is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::controller) struct Scanned {
    /// Its name in the task definition.
    pub(in crate::controller) name: String,
    /// Its digest; `None` to ask about what its tag names now.
    pub(in crate::controller) digest: Option<String>,
}

/// The answers about digests, by digest and repository, with the time of the question.
#[derive(Debug, Default)]
pub(super) struct Answers(Mutex<HashMap<String, Entry>>);

type Entry = Arc<AsyncMutex<Option<(Instant, Scan)>>>;

impl Answers {
    /// Returns the entry of an image, and drops old ones.
    fn entry(&self, key: String) -> Entry {
        let mut known = lock(&self.0);
        let is_fresh = |entry: &Entry| match entry.try_lock() {
            Ok(answer) => answer
                .as_ref()
                .is_some_and(|(asked, scan)| asked.elapsed() < good_for(scan)),
            // Somebody asks.
            Err(_) => true,
        };
        known.retain(|_, entry| Arc::strong_count(entry) > 1 || is_fresh(entry));
        known.entry(key).or_default().clone()
    }
}

/// Returns how long an answer is good.
const fn good_for(scan: &Scan) -> Duration {
    match scan.state {
        ScanState::Done | ScanState::Cut => FRESH,
        ScanState::Pending | ScanState::Missing(_) | ScanState::Archived => BRIEF,
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Manifests {
    images: Vec<Manifest>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    image_manifest: String,
}

/// An index (<https://github.com/opencontainers/image-spec/blob/main/image-index.md>).
#[derive(Deserialize)]
struct Index {
    #[serde(default)]
    manifests: Vec<OfPlatform>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OfPlatform {
    digest: String,
    #[serde(default)]
    media_type: String,
    #[serde(default)]
    platform: Platform,
}

#[derive(Default, Deserialize)]
struct Platform {
    #[serde(default)]
    architecture: String,
    #[serde(default)]
    os: String,
}

/// The images in an index that matter.
#[derive(Debug, Default, PartialEq, Eq)]
struct Platforms {
    /// Those that are asked about.
    digests: Vec<String>,
    /// Why these are not all, as the end of a sentence; `None` if they are.
    not_all: Option<&'static str>,
}

impl Registries {
    /// Returns what scans have found in the images that are in listed registries of ECR, by their names. Of an image for
    /// several platforms, those with an `architecture` matter, such as `arm64`; `None` for all. No more is read than
    /// what decides by the rules.
    pub(in crate::controller) async fn scans(
        &self,
        images: Vec<Scanned>,
        architecture: Option<&str>,
        rules: &ScanRules,
    ) -> BTreeMap<String, Scan> {
        let asked = images.into_iter().filter_map(|image| {
            let name = image.name.split('@').next()?;
            let read = TaggedImage::read(name)?;
            let registry = read.ecr()?;
            self.listed(&read)?;
            Some((image, read, registry))
        });
        stream::iter(asked)
            .map(|(image, read, registry)| async move {
                let question = Question {
                    registry: &registry,
                    repository: &read.repository,
                    architecture,
                    rules,
                };
                let id = match &image.digest {
                    Some(digest) => json!({"imageDigest": digest}),
                    None => json!({"imageTag": read.tag}),
                };
                let scan = match &image.digest {
                    Some(digest) => self.shared(digest, &question, &id, &read.registry).await,
                    // It may name another image by now.
                    None => self.scan(&question, &id, &read.registry).await,
                };
                (image.name, scan)
            })
            .buffered(CONCURRENT)
            .collect()
            .await
    }

    /// Asks about a digest, which others may have done just now.
    async fn shared(&self, digest: &str, question: &Question<'_>, id: &Value, host: &str) -> Scan {
        let key = format!(
            "{digest} {host}/{} {:?}",
            question.repository, question.architecture
        );
        let entry = self.answers.entry(key);
        let mut answer = entry.lock().await;
        if let Some((asked, scan)) = answer.as_ref()
            && asked.elapsed() < good_for(scan)
        {
            return scan.clone();
        }
        let asked = Instant::now();
        let scan = self.scan(question, id, host).await;
        *answer = Some((asked, scan.clone()));
        scan
    }

    async fn scan(&self, question: &Question<'_>, id: &Value, host: &str) -> Scan {
        let scans = format!("{host} scans");
        let of_repository = format!("{host}/{} scans", question.repository);
        if let Some(failure) = self.silence(&[host, &scans, &of_repository]) {
            return Scan::missing(failure.to_string());
        }
        let asked = timeout(LONGEST, self.ecr.scan(question, id)).await;
        let failure = match asked.unwrap_or(Err(DigestFailure::Late)) {
            Ok(scan) => return scan,
            Err(failure) => failure,
        };
        let why = failure.to_string();
        match failure {
            DigestFailure::Unreachable | DigestFailure::Credentials => {
                self.leave_alone(scans, failure);
            }
            // One image may have very many findings, which is no reason not to ask about others.
            DigestFailure::Late => self.leave_alone(of_repository, failure),
            _ => {}
        }
        Scan::missing(why)
    }
}

/// Where an image is, and what of it matters.
pub(super) struct Question<'a> {
    registry: &'a EcrRegistry,
    repository: &'a str,
    architecture: Option<&'a str>,
    rules: &'a ScanRules,
}

impl Ecr {
    /// Returns what was found in an image: of one for several platforms, which ECR does not scan as such, in those.
    async fn scan(&self, question: &Question<'_>, id: &Value) -> Result<Scan, DigestFailure> {
        let (scan, is_unsupported) = self.findings(question, id).await?;
        if !is_unsupported {
            return Ok(scan);
        }
        let platforms = self.platforms(question, id).await;
        let not_all = platforms.not_all.map(Scan::missing);
        let mut scans: Vec<Scan> = not_all.into_iter().collect();
        let (count, mut failed) = (platforms.digests.len(), None);
        for digest in platforms.digests {
            let id = json!({"imageDigest": digest});
            match self.findings(question, &id).await {
                Ok((found, _)) if question.rules.hold_back(&found.findings) => {
                    // Those that are left may have more.
                    let is_whole = platforms.not_all.is_none() && failed.is_none();
                    let is_all = is_whole && scans.len() + 1 == count;
                    let state = if is_all { found.state } else { ScanState::Cut };
                    return Ok(Scan { state, ..found });
                }
                Ok((found, _)) => scans.push(found),
                // Another one may have findings.
                Err(failure) => failed = Some(failure),
            }
        }
        match failed {
            Some(failure) => Err(failure),
            None => Ok(Scan::of_platforms(scans).unwrap_or(scan)),
        }
    }

    /// Returns what was found in an image, and whether that is nothing because it may be an index. The pages after one that
    /// decides are not read: whatever happens to them, what was found holds the deployment back.
    async fn findings(
        &self,
        question: &Question<'_>,
        id: &Value,
    ) -> Result<(Scan, bool), DigestFailure> {
        let mut body = json!({
            "registryId": question.registry.account,
            "repositoryName": question.repository,
            "imageId": id,
            "maxResults": PAGE,
        });
        let mut findings = Vec::new();
        for _ in 0..MOST_PAGES {
            let answer = self.call(
                &question.registry.region,
                "DescribeImageScanFindings",
                &body,
            );
            let answer = match answer.await {
                Err(DigestFailure::Refused(code)) if code == "ScanNotFoundException" => {
                    return Ok((Scan::missing("it has not been scanned"), true));
                }
                answer => answer?,
            };
            let page = ScanPage::read(&answer).map_err(DigestFailure::Answer)?;
            findings.extend(page.scan.findings);
            let state = page.scan.state;
            let Some(next) = page.next else {
                return Ok((Scan { state, findings }, page.is_unsupported));
            };
            if question.rules.hold_back(&findings) {
                break;
            }
            if let Some(members) = body.as_object_mut() {
                members.insert("nextToken".to_owned(), next.into());
            }
        }
        let state = ScanState::Cut;
        Ok((Scan { state, findings }, false))
    }

    /// Returns the platforms of an image; none if it has none, or that cannot be read.
    async fn platforms(&self, question: &Question<'_>, id: &Value) -> Platforms {
        let body = json!({
            "registryId": question.registry.account,
            "repositoryName": question.repository,
            "imageIds": [id],
            "acceptedMediaTypes": INDEXES,
        });
        let answer = self.call(&question.registry.region, "BatchGetImage", &body);
        // Why it has no scan is known; the log has this.
        let answer = answer.await.unwrap_or_default();
        let manifests: Option<Manifests> = serde_json::from_slice(&answer).ok();
        let manifests = manifests.and_then(|it| it.images.into_iter().next());
        let index = manifests.and_then(|it| serde_json::from_str(&it.image_manifest).ok());
        index.map_or_else(Platforms::default, |index| {
            of_architecture(index, question.architecture)
        })
    }
}

/// Returns the images in an index that a node of an architecture may run. One for which no architecture is given may be for
/// any. What else is in the index, such as a signature, is for none.
fn of_architecture(index: Index, architecture: Option<&str>) -> Platforms {
    let is_meant = |platform: &Platform| {
        let of = match &*platform.architecture {
            // Nodes take these to be the same.
            "x86_64" | "x86-64" => "amd64",
            "aarch64" => "arm64",
            of => of,
        };
        platform.os != "unknown" && (of.is_empty() || architecture.is_none_or(|it| it == of))
    };
    let listed = index.manifests.into_iter();
    let (nested, images): (Vec<_>, Vec<_>) = listed
        .filter(|it| is_meant(&it.platform))
        .partition(|it| INDEXES.contains(&&*it.media_type));
    let not_all = if !nested.is_empty() {
        Some("it is an index with another index in it")
    } else if images.len() > MOST_PLATFORMS {
        Some("it is for more platforms than the operator asks about")
    } else {
        None
    };
    let digests = images.into_iter().map(|it| it.digest);
    Platforms {
        digests: digests.take(MOST_PLATFORMS).collect(),
        not_all,
    }
}

#[cfg(test)]
mod tests {
    use std::{
        collections::BTreeSet,
        sync::atomic::{AtomicUsize, Ordering},
    };

    use axum::{
        Router,
        body::Bytes,
        http::{HeaderMap, StatusCode},
        response::{IntoResponse as _, Response},
    };
    use tokio::net::TcpListener;

    use super::*;
    use crate::{controller::registries::RegistryOptions, ecr::OnMissing};

    const HOST: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";

    /// Returns registries of which ECR answers so.
    async fn registries<F>(
        answer: impl Fn(String, Value) -> F + Clone + Send + Sync + 'static,
    ) -> Registries
    where
        F: Future<Output = Response> + Send,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("it listens");
        let address = listener.local_addr().expect("it has an address");
        let serve = async move |headers: HeaderMap, body: Bytes| {
            let target = headers["x-amz-target"].to_str().expect("it is a text");
            let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
            let body = serde_json::from_slice(&body).expect("it is JSON");
            answer(operation, body).await
        };
        let app = Router::new().fallback(serve);
        tokio::spawn(async { axum::serve(listener, app).await });
        let listed = ["*.dkr.ecr.eu-west-1.amazonaws.com", "docker.io"];
        let listed = listed.map(|name| name.parse().expect("it is a registry"));
        let mut registries = Registries::new(RegistryOptions {
            listed: listed.into(),
            ecr_endpoint: None,
            role_arn: None,
            ca_file: None,
        });
        registries.ecr = Ecr::testing("eu-west-1", &format!("http://{address}"));
        registries
    }

    fn found(names: &[&str], next: Option<&str>) -> Response {
        let findings = names.iter();
        let findings = findings.map(|name| json!({"name": name, "severity": "HIGH"}));
        let mut answer = json!({
            "imageScanStatus": {"status": "COMPLETE"},
            "imageScanFindings": {"findings": findings.collect::<Vec<_>>()},
        });
        if let Some(next) = next {
            answer["nextToken"] = next.into();
        }
        answer.to_string().into_response()
    }

    fn refused(code: &str) -> Response {
        let body = json!({"__type": code, "message": "no"}).to_string();
        (StatusCode::BAD_REQUEST, body).into_response()
    }

    fn image(repository: &str, digest: Option<&str>) -> Scanned {
        Scanned {
            name: format!("{HOST}/{repository}:1"),
            digest: digest.map(str::to_owned),
        }
    }

    /// Returns what is said of one image: the names of its findings, none of which decides, or why there are none.
    async fn said(registries: &Registries, image: Scanned, architecture: Option<&str>) -> String {
        said_by("CRITICAL", registries, image, architecture).await
    }

    /// Returns the same if findings of a severity decide.
    async fn said_by(
        block: &str,
        registries: &Registries,
        image: Scanned,
        architecture: Option<&str>,
    ) -> String {
        let rules = ScanRules {
            block: block.parse().expect("it is a severity"),
            on_missing: OnMissing::Allow,
            wait: Duration::ZERO,
            ignored: BTreeSet::new(),
            fixable_only: false,
        };
        let scans = registries.scans(vec![image], architecture, &rules).await;
        let Some(scan) = scans.values().next() else {
            return "it is not asked about".to_owned();
        };
        match &scan.state {
            ScanState::Missing(why) => why.clone(),
            state => {
                let names: Vec<_> = scan.findings.iter().map(|it| &*it.name).collect();
                format!("{state:?} {}", names.join(" "))
            }
        }
    }

    #[tokio::test]
    async fn all_pages_of_the_images_in_listed_registries_of_ecr_are_read() {
        let registries = registries(async |operation, body| {
            assert_eq!(operation, "DescribeImageScanFindings");
            assert_eq!(body["registryId"], "123456789012");
            assert_eq!(body["imageId"], json!({"imageDigest": "sha256:0a"}));
            match (body["repositoryName"].as_str(), body["nextToken"].as_str()) {
                (Some("shop/web"), None) => found(&["CVE-1", "CVE-2"], Some("more")),
                (Some("shop/web"), Some("more")) => found(&["CVE-3"], None),
                (Some("endless"), _) => found(&["CVE-1"], Some("more")),
                _ => refused("RepositoryNotFoundException"),
            }
        })
        .await;
        let digest = Some("sha256:0a");
        let all = said(&registries, image("shop/web", digest), None).await;
        assert_eq!(all, "Done CVE-1 CVE-2 CVE-3");
        let endless = said(&registries, image("endless", digest), None).await;
        assert!(endless.starts_with("Cut "), "{endless}");
        let gone = said(&registries, image("gone", digest), None).await;
        assert_eq!(gone, "the registry has no such image");
        for name in [
            "nginx:1",
            "123456789012.dkr.ecr.us-east-1.amazonaws.com/shop/web:1",
        ] {
            let other = Scanned {
                name: name.to_owned(),
                digest: None,
            };
            assert_eq!(
                said(&registries, other, None).await,
                "it is not asked about"
            );
        }
    }

    #[tokio::test]
    async fn an_image_for_several_platforms_has_the_findings_of_the_one_that_is_meant() {
        let registries = registries(async |operation, body| {
            let of = |digest: &str, architecture: &str, os: &str| {
                json!({"digest": digest, "platform": {"architecture": architecture, "os": os}})
            };
            let index = json!({"manifests": [
                of("sha256:a", "amd64", "linux"), of("sha256:b", "arm64", "linux"), of("sha256:c", "unknown", "unknown"),
            ]});
            match (&*operation, body["imageId"]["imageDigest"].as_str()) {
                ("BatchGetImage", _) => {
                    assert_eq!(body["imageIds"], json!([{"imageDigest": "sha256:0a"}]));
                    let answer = json!({"images": [{"imageManifest": index.to_string()}]});
                    answer.to_string().into_response()
                }
                (_, Some("sha256:a")) => found(&["CVE-1"], None),
                (_, Some("sha256:b")) => found(&["CVE-2"], None),
                (_, Some("sha256:c")) => found(&["CVE-3"], None),
                _ => refused("ScanNotFoundException"),
            }
        })
        .await;
        let of = async |architecture| {
            said(&registries, image("web", Some("sha256:0a")), architecture).await
        };
        assert_eq!(of(None).await, "Done CVE-1 CVE-2");
        assert_eq!(of(Some("arm64")).await, "Done CVE-2");
        assert_eq!(of(Some("riscv64")).await, "it has not been scanned");
    }

    #[tokio::test]
    async fn deployments_share_answers_about_digests_but_not_about_tags() {
        static ASKED: AtomicUsize = AtomicUsize::new(0);
        let registries = registries(async |_, body| {
            ASKED.fetch_add(1, Ordering::SeqCst);
            match body["repositoryName"].as_str() {
                Some("denied") => refused("AccessDeniedException"),
                Some("pending") => {
                    let answer = json!({"imageScanStatus": {"status": "PENDING"}});
                    answer.to_string().into_response()
                }
                _ => found(&["CVE-1"], None),
            }
        })
        .await;
        let asked = async |image: Scanned| {
            let before = ASKED.load(Ordering::SeqCst);
            let questions = (0..20).map(|_| said(&registries, image.clone(), None));
            let answers = futures::future::join_all(questions).await;
            assert!(
                answers.windows(2).all(|two| two[0] == two[1]),
                "{answers:?}"
            );
            (ASKED.load(Ordering::SeqCst) - before, answers[0].clone())
        };
        let found = "Done CVE-1".to_owned();
        assert_eq!(
            asked(image("web", Some("sha256:0a"))).await,
            (1, found.clone())
        );
        assert_eq!(
            asked(image("web", Some("sha256:0a"))).await,
            (0, found.clone())
        );
        assert_eq!(asked(image("web", None)).await, (20, found));
        // Many deployments with a new image at once.
        let pending = asked(image("pending", Some("sha256:0a"))).await;
        assert_eq!(pending, (1, "Pending ".to_owned()));
        let why = "the registry refuses the request (AccessDeniedException)".to_owned();
        assert_eq!(asked(image("denied", Some("sha256:0a"))).await, (1, why));
    }

    #[test]
    fn what_may_change_in_a_moment_is_not_shared_for_long() {
        let of = |state| {
            let findings = Vec::new();
            good_for(&Scan { state, findings })
        };
        for state in [ScanState::Done, ScanState::Cut] {
            assert_eq!(of(state), FRESH);
        }
        let why = String::new();
        for state in [
            ScanState::Pending,
            ScanState::Missing(why),
            ScanState::Archived,
        ] {
            assert_eq!(of(state), BRIEF);
        }
    }

    #[tokio::test]
    async fn an_ecr_that_does_not_answer_is_left_alone() {
        static ASKED: AtomicUsize = AtomicUsize::new(0);
        let registries = registries(async |_, body| {
            if body["repositoryName"] == "fast" {
                return found(&["CVE-1"], None);
            }
            ASKED.fetch_add(1, Ordering::SeqCst);
            std::future::pending().await
        })
        .await;
        let ask = async |repository: &str, digest: &str| {
            said(&registries, image(repository, Some(digest)), None).await
        };
        let late = "the registry has not answered in time";
        // The second one is not asked because of the first one.
        let (first, second) = tokio::join!(ask("a", "sha256:0a"), ask("b", "sha256:0a"));
        assert_eq!((&*first, &*second), (late, late));
        assert_eq!(ask("a", "sha256:0b").await, late);
        assert_eq!(ASKED.load(Ordering::SeqCst), 2);
        // It is no reason not to ask about another repository.
        assert_eq!(ask("fast", "sha256:0a").await, "Done CVE-1");
    }

    #[tokio::test]
    async fn pages_that_decide_hold_whatever_happens_to_the_next_ones() {
        let registries = registries(async |_, body| match body["nextToken"].as_str() {
            None => found(&["CVE-1", "CVE-2"], Some("more")),
            Some(_) if body["repositoryName"] == "slow" => std::future::pending().await,
            Some(_) => refused("ServerException"),
        })
        .await;
        for repository in ["slow", "broken"] {
            let image = image(repository, Some("sha256:0a"));
            let said = said_by("HIGH", &registries, image, None).await;
            assert_eq!(said, "Cut CVE-1 CVE-2", "{repository}");
        }
        let broken = said(&registries, image("broken", Some("sha256:0b")), None).await;
        let why = "the registry refuses the request (ServerException)";
        assert_eq!(broken, why);
    }

    #[tokio::test]
    async fn a_platform_with_findings_holds_and_one_without_a_scan_is_missing() {
        let registries = registries(async |operation, body| {
            let of = |digest: &str| json!({"digest": digest, "platform": {"os": "linux"}});
            let index = |digests: &[&str]| {
                let manifests: Vec<Value> = digests.iter().map(|it| of(it)).collect();
                let index = json!({"manifests": manifests}).to_string();
                let answer = json!({"images": [{"imageManifest": index}]});
                answer.to_string().into_response()
            };
            let digest = body["imageId"]["imageDigest"].as_str();
            match (&*operation, body["repositoryName"].as_str(), digest) {
                ("BatchGetImage", Some("sibling"), _) => index(&["clean", "unknown"]),
                ("BatchGetImage", Some("failing"), _) => index(&["clean", "error"]),
                ("BatchGetImage", Some("bad"), _) => index(&["unknown", "error", "bad", "clean"]),
                ("BatchGetImage", ..) => index(&["clean", "bad"]),
                (_, _, Some("clean")) => found(&[], None),
                (_, _, Some("bad")) => found(&["CVE-1"], None),
                (_, _, Some("error")) => refused("ServerException"),
                _ => refused("ScanNotFoundException"),
            }
        })
        .await;
        for (repository, expected) in [
            ("sibling", "it has not been scanned"),
            (
                "failing",
                "the registry refuses the request (ServerException)",
            ),
            ("bad", "Cut CVE-1"),
            ("all", "Done CVE-1"),
        ] {
            let image = image(repository, Some("sha256:0a"));
            let said = said_by("HIGH", &registries, image, None).await;
            assert_eq!(said, expected, "{repository}");
        }
    }

    #[test]
    fn what_a_node_may_run_is_meant_and_what_cannot_be_asked_about_is_told() {
        let of = |manifests: Value, architecture| {
            let index = serde_json::from_value(json!({"manifests": manifests}));
            of_architecture(index.expect("it is an index"), architecture)
        };
        let entry = |digest: &str, architecture: &str| {
            json!({
                "digest": digest, "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "platform": {"os": "linux", "architecture": architecture},
            })
        };
        let listed = json!([
            entry("a", "amd64"), entry("b", "x86_64"), entry("c", "arm64"), entry("d", "aarch64"), {"digest": "e"},
            {"digest": "f", "platform": {"os": "unknown", "architecture": "unknown"}},
        ]);
        for (architecture, expected) in [
            (Some("amd64"), &["a", "b", "e"][..]),
            (Some("arm64"), &["c", "d", "e"]),
            (None, &["a", "b", "c", "d", "e"]),
        ] {
            let platforms = of(listed.clone(), architecture);
            assert_eq!(platforms.digests, expected, "{architecture:?}");
            assert_eq!(platforms.not_all, None, "{architecture:?}");
        }
        for kind in INDEXES {
            let nested =
                json!([entry("a", "amd64"), {"digest": "b", "mediaType": kind, "platform": {}}]);
            let platforms = of(nested, Some("amd64"));
            assert_eq!(platforms.digests, ["a"]);
            let why = platforms.not_all.unwrap_or_default();
            assert!(why.contains("another index"), "{why}");
        }
        let many = |count: usize| {
            let entries: Vec<Value> = (0..count).map(|_| entry("a", "amd64")).collect();
            of(entries.into(), None)
        };
        assert_eq!(many(MOST_PLATFORMS).not_all, None);
        let too_many = many(MOST_PLATFORMS + 1);
        assert_eq!(too_many.digests.len(), MOST_PLATFORMS);
        let why = too_many.not_all.unwrap_or_default();
        assert!(why.contains("more platforms"), "{why}");
    }
}
