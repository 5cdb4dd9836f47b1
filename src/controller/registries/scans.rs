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
    ecr::{Scan, ScanPage, ScanState},
    image::{EcrRegistry, TaggedImage},
    policy::is_like,
};

/// How long it may take to read what was found in an image. A deployment waits for it.
const LONGEST: Duration = Duration::from_secs(5);
/// How long an answer about a digest is good for other deployments that begin.
const FRESH: Duration = Duration::from_mins(1);
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
                .is_some_and(|(asked, _)| asked.elapsed() < FRESH),
            // Somebody asks.
            Err(_) => true,
        };
        known.retain(|_, entry| Arc::strong_count(entry) > 1 || is_fresh(entry));
        known.entry(key).or_default().clone()
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
struct OfPlatform {
    digest: String,
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

impl Registries {
    /// Returns what scans have found in the images that are in listed registries of ECR, by their names. Of an image for
    /// several platforms, those with an `architecture` matter, such as `arm64`; `None` for all.
    pub(in crate::controller) async fn scans(
        &self,
        images: Vec<Scanned>,
        architecture: Option<&str>,
    ) -> BTreeMap<String, Scan> {
        let asked = images.into_iter().filter_map(|image| {
            let name = image.name.split('@').next()?;
            let read = TaggedImage::read(name)?;
            let registry = read.ecr()?;
            let mut listed = self.listed.iter();
            listed.find(|it| is_like(&it.name, &read.registry))?;
            Some((image, read, registry))
        });
        stream::iter(asked)
            .map(|(image, read, registry)| async move {
                let question = Question {
                    registry: &registry,
                    repository: &read.repository,
                    architecture,
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
            && asked.elapsed() < FRESH
        {
            return scan.clone();
        }
        let asked = Instant::now();
        let scan = self.scan(question, id, host).await;
        // What is not there yet may be a moment later.
        let is_known = matches!(scan.state, ScanState::Done | ScanState::Cut);
        *answer = is_known.then(|| (asked, scan.clone()));
        scan
    }

    async fn scan(&self, question: &Question<'_>, id: &Value, host: &str) -> Scan {
        let scans = format!("{host} scans");
        if let Some(failure) = self.silence(&[host, &scans]) {
            return Scan::missing(failure.to_string());
        }
        let asked = timeout(LONGEST, self.ecr.scan(question, id)).await;
        match asked.unwrap_or(Err(DigestFailure::Late)) {
            Ok(scan) => scan,
            Err(failure) => {
                let is_silent = matches!(
                    failure,
                    DigestFailure::Unreachable | DigestFailure::Credentials | DigestFailure::Late
                );
                if is_silent {
                    self.leave_alone(scans, failure.clone());
                }
                Scan::missing(failure.to_string())
            }
        }
    }
}

/// Where an image is, and what of it matters.
pub(super) struct Question<'a> {
    registry: &'a EcrRegistry,
    repository: &'a str,
    architecture: Option<&'a str>,
}

impl Ecr {
    /// Returns what was found in an image: of one for several platforms, which ECR does not scan as such, in those.
    async fn scan(&self, question: &Question<'_>, id: &Value) -> Result<Scan, DigestFailure> {
        let (scan, is_unsupported) = self.findings(question, id).await?;
        if !is_unsupported {
            return Ok(scan);
        }
        let mut scans = Vec::new();
        for digest in self.platforms(question, id).await {
            let id = json!({"imageDigest": digest});
            scans.push(self.findings(question, &id).await?.0);
        }
        Ok(Scan::of_platforms(scans).unwrap_or(scan))
    }

    /// Returns what was found in an image, and whether that is nothing because it may be an index.
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
            if let Some(members) = body.as_object_mut() {
                members.insert("nextToken".to_owned(), next.into());
            }
        }
        let state = ScanState::Cut;
        Ok((Scan { state, findings }, false))
    }

    /// Returns the digests of the platforms of an image; none if it has none, or that cannot be read.
    async fn platforms(&self, question: &Question<'_>, id: &Value) -> Vec<String> {
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
        of_architecture(index, question.architecture)
    }
}

/// Returns the digests of the images in an index that have an architecture. What else is in it, such as a signature, has none.
fn of_architecture(index: Option<Index>, architecture: Option<&str>) -> Vec<String> {
    let listed = index.into_iter().flat_map(|index| index.manifests);
    let is_meant = |platform: &Platform| {
        platform.os != "unknown" && architecture.is_none_or(|it| it == platform.architecture)
    };
    let meant = listed.filter(|it| is_meant(&it.platform));
    let digests = meant.map(|it| it.digest);
    digests.take(MOST_PLATFORMS).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use axum::{
        Router,
        body::Bytes,
        http::{HeaderMap, StatusCode},
        response::{IntoResponse as _, Response},
    };
    use tokio::net::TcpListener;

    use super::*;
    use crate::controller::registries::RegistryOptions;

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

    /// Returns what is said of one image: the names of its findings, or why there are none.
    async fn said(registries: &Registries, image: Scanned, architecture: Option<&str>) -> String {
        let scans = registries.scans(vec![image], architecture).await;
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
        // What the operator may not read yet, it may a moment later.
        let (count, why) = asked(image("denied", Some("sha256:0a"))).await;
        assert_eq!(
            why,
            "the registry refuses the request (AccessDeniedException)"
        );
        assert_eq!(count, 20);
    }

    #[tokio::test]
    async fn an_ecr_that_does_not_answer_is_left_alone() {
        static ASKED: AtomicUsize = AtomicUsize::new(0);
        let registries = registries(async |_, _| {
            ASKED.fetch_add(1, Ordering::SeqCst);
            std::future::pending().await
        })
        .await;
        for repository in ["a", "b", "c"] {
            let why = said(&registries, image(repository, Some("sha256:0a")), None).await;
            assert!(
                [
                    "the registry has not answered in time",
                    "the registry cannot be reached"
                ]
                .contains(&&*why),
                "{why}"
            );
        }
        assert_eq!(ASKED.load(Ordering::SeqCst), 1);
    }
}
