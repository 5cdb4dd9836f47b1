//! Registries of images: what their tags mean now, and what scans have found in them.
//!
//! Whoever writes a task definition chooses the hosts that are asked here, so only those are that the administrator has
//! listed.

mod ecr;
mod failure;
mod oci;
mod scans;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeSet, HashMap},
    path::PathBuf,
    str::FromStr,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures::{StreamExt as _, stream};
use http::Uri;
use tokio::{
    sync::Mutex as AsyncMutex,
    time::{Instant, timeout},
};

use self::{ecr::Ecr, oci::Oci, scans::Answers};
pub(super) use self::{failure::DigestFailure, scans::Scanned};
use crate::{
    controller::context::lock, image::TaggedImage, policy::is_like, rendering::ImageDigests,
};

/// How long it may take to resolve a tag. A deployment waits for it.
const LONGEST: Duration = Duration::from_secs(3);
/// How long what has not answered is not asked again.
const PAUSE: Duration = Duration::from_mins(1);
/// How many tags are resolved at a time for one deployment.
const CONCURRENT: usize = 10;

/// The registries that may be asked for digests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistryOptions {
    /// Which ones.
    pub listed: Vec<ListedRegistry>,
    /// The URL of the API of ECR; `None` for the public one of each region.
    pub ecr_endpoint: Option<Uri>,
    /// The role that the operator assumes to ask ECR, if not its own.
    pub role_arn: Option<String>,
    /// The file with the certificates of more authorities than the public ones.
    pub ca_file: Option<PathBuf>,
}

/// A registry, such as `docker.io` or `*.dkr.ecr.eu-west-1.amazonaws.com`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedRegistry {
    /// Its name, with `*` for any text.
    name: String,
    /// Whether it is asked without TLS.
    is_plain: bool,
}

impl FromStr for ListedRegistry {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, is_plain) = match text.strip_prefix("http://") {
            Some(name) => (name, true),
            None => (text, false),
        };
        let is_of_host = |byte: u8| byte.is_ascii_alphanumeric() || b"-.:*".contains(&byte);
        if name.is_empty() || !name.bytes().all(is_of_host) {
            return Err("not a registry: use the part of image names before the first slash, such as docker.io".to_owned());
        }
        Ok(Self {
            name: name.to_owned(),
            is_plain,
        })
    }
}

/// The answer to the last question for the digest of a tag, and when it was asked.
type Answer = Option<(Instant, Result<String, DigestFailure>)>;

/// The registries.
#[derive(Debug)]
pub(super) struct Registries {
    listed: Vec<ListedRegistry>,
    ecr: Ecr,
    oci: Oci,
    /// The tags that are being resolved.
    asked: Mutex<HashMap<String, Arc<AsyncMutex<Answer>>>>,
    /// The registries and repositories that have not answered, and why.
    silent: Mutex<HashMap<String, (Instant, DigestFailure)>>,
    /// What scans have found.
    answers: Answers,
}

impl Registries {
    /// Returns registries, which need not be there yet.
    pub(super) fn new(options: RegistryOptions) -> Self {
        Self {
            oci: Oci::new(options.ca_file.clone()),
            listed: options.listed.clone(),
            ecr: Ecr::new(options),
            asked: Mutex::default(),
            silent: Mutex::default(),
            answers: Answers::default(),
        }
    }

    /// Whether the digest of an image would be asked for.
    pub(super) fn asks(&self, image: &str) -> bool {
        TaggedImage::read(image).is_some_and(|image| self.listed(&image).is_some())
    }

    /// Returns how a registry is listed, if it is.
    fn listed(&self, image: &TaggedImage) -> Option<&ListedRegistry> {
        let mut listed = self.listed.iter();
        listed.find(|it| is_like(&it.name, &image.registry))
    }

    /// Returns the digest of an image that no deployment waits for. If there is no answer, deployments ask nevertheless.
    ///
    /// # Errors
    ///
    /// Why it is not known.
    pub(super) async fn look_up(&self, name: &str) -> Result<String, DigestFailure> {
        let image = TaggedImage::read(name);
        let listed = image.as_ref().and_then(|image| self.listed(image));
        let Some((image, listed)) = image.as_ref().zip(listed) else {
            return Err(DigestFailure::Unreachable);
        };
        let repository = format!("{}/{}", image.registry, image.repository);
        match self.silence(&[&image.registry, &repository]) {
            Some(failure) => Err(failure),
            None => self.ask_registry(image, listed.is_plain).await,
        }
    }

    /// Returns the digests of the images whose registries are listed, and why some have none.
    pub(super) async fn resolve(
        &self,
        images: BTreeSet<String>,
    ) -> (ImageDigests, Vec<(String, DigestFailure)>) {
        let listed = images.into_iter().filter_map(|name| {
            let image = TaggedImage::read(&name)?;
            let is_plain = self.listed(&image)?.is_plain;
            Some((name, image, is_plain))
        });
        let answers = stream::iter(listed)
            .map(|(name, image, is_plain)| async move {
                let digest = self.digest(&name, &image, is_plain).await;
                (name, digest)
            })
            .buffered(CONCURRENT)
            .collect::<Vec<_>>()
            .await;
        let mut digests = ImageDigests::new();
        let mut failures = Vec::new();
        for (name, answer) in answers {
            match answer {
                Ok(digest) => {
                    digests.insert(name, digest);
                }
                Err(failure) => failures.push((name, failure)),
            }
        }
        (digests, failures)
    }

    /// Resolves a tag. Whoever asks while another one does waits for an answer to a question that is not older than its own:
    /// the tag may have moved in between.
    async fn digest(
        &self,
        name: &str,
        image: &TaggedImage,
        is_plain: bool,
    ) -> Result<String, DigestFailure> {
        let since = Instant::now();
        let entry = lock(&self.asked)
            .entry(name.to_owned())
            .or_default()
            .clone();
        let mut answer = entry.lock().await;
        let known = answer.as_ref().filter(|(asked, _)| *asked >= since);
        let digest = match known {
            Some((_, digest)) => digest.clone(),
            None => {
                let asked = Instant::now();
                let digest = self.ask(image, is_plain).await;
                *answer = Some((asked, digest.clone()));
                digest
            }
        };
        drop(answer);
        let mut asked = lock(&self.asked);
        drop(entry);
        // Nobody waits for it any more.
        if asked.get(name).is_some_and(|it| Arc::strong_count(it) == 1) {
            asked.remove(name);
        }
        digest
    }

    async fn ask(&self, image: &TaggedImage, is_plain: bool) -> Result<String, DigestFailure> {
        let repository = format!("{}/{}", image.registry, image.repository);
        if let Some(failure) = self.silence(&[&image.registry, &repository]) {
            return Err(failure);
        }
        let digest = self.ask_registry(image, is_plain).await;
        let left_alone = match &digest {
            Err(DigestFailure::Unreachable | DigestFailure::Credentials) => &image.registry,
            // A cache of another registry may be slow for one repository.
            Err(DigestFailure::Late) => &repository,
            _ => return digest,
        };
        if let Err(failure) = &digest {
            self.leave_alone(left_alone.clone(), failure.clone());
        }
        digest
    }

    async fn ask_registry(
        &self,
        image: &TaggedImage,
        is_plain: bool,
    ) -> Result<String, DigestFailure> {
        let asked = async {
            match image.ecr() {
                Some(registry) => self.ecr.digest(&registry, image).await,
                None => self.oci.digest(image, is_plain).await,
            }
        };
        let digest = timeout(LONGEST, asked).await;
        digest.unwrap_or(Err(DigestFailure::Late))
    }

    /// Returns why one of these has not answered just now.
    fn silence(&self, whom: &[&str]) -> Option<DigestFailure> {
        let silent = lock(&self.silent);
        let mut known = whom.iter().filter_map(|it| silent.get(*it));
        let (_, failure) = known.find(|(since, _)| since.elapsed() < PAUSE)?;
        Some(failure.clone())
    }

    /// Asks somebody no more for a while.
    fn leave_alone(&self, whom: String, failure: DigestFailure) {
        let mut silent = lock(&self.silent);
        silent.retain(|_, (since, _)| since.elapsed() < PAUSE);
        silent.insert(whom, (Instant::now(), failure));
    }
}

/// Returns a digest that names an image.
fn checked(digest: &str) -> Result<String, DigestFailure> {
    let is_hex = |text: &str| {
        text.bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    match digest.split_once(':') {
        Some(("sha256", hex)) if hex.len() == 64 && is_hex(hex) => Ok(digest.to_owned()),
        _ => Err(DigestFailure::Answer("its digest is no SHA-256".to_owned())),
    }
}
