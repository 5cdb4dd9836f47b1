//! Private registries of ECR (<https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeImages.html>).

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use serde::Deserialize;
use serde_json::json;

use super::{DigestFailure, RegistryOptions, checked};
use crate::{
    controller::{
        aws::{AwsApi, AwsFailure, AwsOptions, AwsService, dns_suffix},
        context::lock,
    },
    image::{EcrRegistry, TaggedImage},
};

/// ECR among the services of AWS. What it says of an image is short.
const SERVICE: AwsService = AwsService {
    name: "ecr",
    target: "AmazonEC2ContainerRegistry_V20150921",
    json: "1.1",
    largest: 1024 * 1024,
};
/// How many regions are asked: more than AWS has.
const REGIONS: usize = 64;

/// The registries of ECR in all regions.
#[derive(Debug)]
pub(super) struct Ecr {
    options: RegistryOptions,
    regions: Mutex<HashMap<String, Arc<AwsApi>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Found {
    image_details: Vec<Image>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Image {
    image_digest: String,
}

impl Ecr {
    pub(super) fn new(options: RegistryOptions) -> Self {
        Self {
            options,
            regions: Mutex::default(),
        }
    }

    /// Returns the digest of an image.
    ///
    /// # Errors
    ///
    /// Why it has none.
    pub(super) async fn digest(
        &self,
        registry: &EcrRegistry,
        image: &TaggedImage,
    ) -> Result<String, DigestFailure> {
        let question = json!({
            "registryId": registry.account,
            "repositoryName": image.repository,
            "imageIds": [{"imageTag": image.tag}],
        });
        let api = self.region(&registry.region)?;
        let answer = api.call("DescribeImages", question.to_string().into_bytes());
        digest_in(&answer.await.map_err(failure)?)
    }

    fn region(&self, region: &str) -> Result<Arc<AwsApi>, DigestFailure> {
        let mut regions = lock(&self.regions);
        if let Some(api) = regions.get(region) {
            return Ok(api.clone());
        }
        if regions.len() >= REGIONS {
            return Err(DigestFailure::Refused("too many regions".to_owned()));
        }
        let public = || {
            format!("https://api.ecr.{region}.{}", dns_suffix(region))
                .parse()
                .ok()
        };
        let endpoint = self.options.ecr_endpoint.clone();
        let options = AwsOptions {
            region: region.to_owned(),
            endpoint: endpoint.or_else(public),
            role_arn: self.options.role_arn.clone(),
            ca_file: self.options.ca_file.clone(),
        };
        let api = Arc::new(AwsApi::new(SERVICE, options));
        regions.insert(region.to_owned(), api.clone());
        Ok(api)
    }
}

/// Returns the digest in an answer. That of an image for several platforms is the digest of its index.
fn digest_in(answer: &[u8]) -> Result<String, DigestFailure> {
    let found: Found =
        serde_json::from_slice(answer).map_err(|error| DigestFailure::Answer(error.to_string()))?;
    let image = found.image_details.first().ok_or(DigestFailure::NotFound)?;
    checked(&image.image_digest)
}

fn failure(failure: AwsFailure) -> DigestFailure {
    match failure {
        AwsFailure::Credentials(why) => {
            tracing::warn!(why, "no credentials for ECR");
            DigestFailure::Credentials
        }
        AwsFailure::Unreachable(why) => {
            tracing::warn!(why, "ECR cannot be reached");
            DigestFailure::Unreachable
        }
        AwsFailure::Late => DigestFailure::Late,
        AwsFailure::Refused { code, detail, .. } => {
            tracing::warn!(detail, "ECR refuses a request");
            match &*code {
                "ImageNotFoundException" | "RepositoryNotFoundException" => DigestFailure::NotFound,
                _ => DigestFailure::Refused(code),
            }
        }
        AwsFailure::Answer(why) => DigestFailure::Answer(why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_has_a_digest_or_a_reason() {
        let digest = format!("sha256:{}", "0a".repeat(32));
        let read = |answer: &serde_json::Value| digest_in(answer.to_string().as_bytes());
        let image = |digest: &str| json!({"imageDetails": [{"imageDigest": digest}]});
        assert_eq!(read(&image(&digest)), Ok(digest));
        let none = json!({"imageDetails": []});
        assert_eq!(read(&none), Err(DigestFailure::NotFound));
        assert!(matches!(
            read(&image("sha256:0a")),
            Err(DigestFailure::Answer(_))
        ));
        assert!(matches!(
            digest_in(b"<html>"),
            Err(DigestFailure::Answer(_))
        ));
    }

    #[test]
    fn an_error_is_about_the_image_or_about_the_operator() {
        let refused = |code: &str| {
            failure(AwsFailure::Refused {
                status: http::StatusCode::BAD_REQUEST,
                code: code.to_owned(),
                detail: "HTTP status 400".to_owned(),
            })
        };
        for code in ["ImageNotFoundException", "RepositoryNotFoundException"] {
            assert_eq!(refused(code), DigestFailure::NotFound);
        }
        let denied = DigestFailure::Refused("AccessDeniedException".to_owned());
        assert_eq!(refused("AccessDeniedException"), denied);
    }
}
