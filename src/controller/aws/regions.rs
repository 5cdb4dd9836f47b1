//! One service of AWS in the regions that tenants name.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use http::Uri;

use super::{AwsApi, AwsOptions, AwsService};
use crate::controller::context::lock;

/// How many regions are asked: more than AWS has.
const MOST: usize = 64;

/// How to ask a service in all regions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::controller) struct RegionalOptions {
    /// Its URL; `None` for the public one of each region.
    pub(in crate::controller) endpoint: Option<Uri>,
    /// The role that the operator assumes, if not its own.
    pub(in crate::controller) role_arn: Option<String>,
    /// The file with the certificates of more authorities that may have signed that of the service.
    pub(in crate::controller) ca_file: Option<PathBuf>,
    /// How long a response may take to begin; `None` where nothing is waited for.
    pub(in crate::controller) patience: Option<Duration>,
}

/// A service in all regions.
#[derive(Debug)]
pub(in crate::controller) struct Regions {
    service: AwsService,
    options: RegionalOptions,
    /// That of each region that has been needed.
    known: Mutex<BTreeMap<String, Arc<AwsApi>>>,
}

impl Regions {
    /// Returns a service, which need not be there yet.
    pub(in crate::controller) fn new(service: AwsService, options: RegionalOptions) -> Self {
        Self {
            service,
            options,
            known: Mutex::default(),
        }
    }

    /// Returns the service in a region; `None` if the text is none, or more are named than there are. It becomes a part of
    /// the host that gets signed requests.
    pub(in crate::controller) fn get(&self, region: &str) -> Option<Arc<AwsApi>> {
        let mut known = lock(&self.known);
        if let Some(api) = known.get(region) {
            return Some(api.clone());
        }
        if !is_region(region) || known.len() >= MOST {
            return None;
        }
        let options = AwsOptions {
            region: region.to_owned(),
            endpoint: self.options.endpoint.clone(),
            role_arn: self.options.role_arn.clone(),
            ca_file: self.options.ca_file.clone(),
        };
        let api = AwsApi::new(self.service, options);
        let api = Arc::new(match self.options.patience {
            Some(patience) => api.patient(patience),
            None => api,
        });
        known.insert(region.to_owned(), api.clone());
        Some(api)
    }
}

#[cfg(test)]
impl Regions {
    /// Puts another service in the place of that of a region.
    pub(in crate::controller) fn set(&self, region: &str, api: AwsApi) {
        lock(&self.known).insert(region.to_owned(), Arc::new(api));
    }
}

fn is_region(text: &str) -> bool {
    let mut letters = text.bytes();
    !text.is_empty()
        && letters.all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn regions() -> Regions {
        let service = AwsService {
            name: "sqs",
            host: "sqs",
            target: "AmazonSQS",
            json: "1.0",
            largest: 1024,
        };
        let options = RegionalOptions {
            endpoint: None,
            role_arn: None,
            ca_file: None,
            patience: None,
        };
        Regions::new(service, options)
    }

    #[test]
    fn no_text_of_a_tenant_leads_to_another_host() {
        for (region, expected) in [
            ("eu-west-1", true),
            ("", false),
            ("evil.example/#", false),
            ("a@evil", false),
            ("eu:1", false),
        ] {
            assert_eq!(regions().get(region).is_some(), expected, "{region}");
        }
    }

    #[test]
    fn each_region_has_credentials_of_its_own() {
        let regions = regions();
        let get = |region: &str| regions.get(region).expect("it is a region");
        let one = get("eu-west-1");
        assert!(Arc::ptr_eq(&one, &get("eu-west-1")));
        assert!(!Arc::ptr_eq(&one, &get("eu-central-1")));
    }

    #[test]
    fn there_is_an_end_to_regions() {
        let regions = regions();
        for number in 0..MOST {
            assert!(regions.get(&format!("region-{number}")).is_some());
        }
        assert!(regions.get("eu-west-1").is_none());
        assert!(regions.get("region-0").is_some());
    }
}
