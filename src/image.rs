//! Names of images, as registries know them.

use crate::settings::is_account_id;

/// The registry of images that name none.
const DOCKER_HUB: &str = "docker.io";
/// The host of its API, which is another one.
const DOCKER_HUB_API: &str = "registry-1.docker.io";

/// An image that is named by a tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaggedImage {
    /// The registry, such as `docker.io` or `registry.example.com:5000`.
    pub registry: String,
    /// The repository, such as `library/nginx`.
    pub repository: String,
    /// The tag.
    pub tag: String,
}

/// A private registry of ECR.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EcrRegistry {
    /// The AWS account.
    pub account: String,
    /// The AWS region.
    pub region: String,
}

impl TaggedImage {
    /// Reads the name of an image that is in the form of registries
    /// (<https://github.com/distribution/reference/blob/main/reference.go>). `None` if it has a digest, which needs no tag.
    #[must_use]
    pub fn read(image: &str) -> Option<Self> {
        if image.contains('@') {
            return None;
        }
        let (registry, rest) = match image.split_once('/') {
            Some((first, rest)) if is_registry(first) => (first, rest),
            _ => (DOCKER_HUB, image),
        };
        let registry = match registry {
            "index.docker.io" => DOCKER_HUB,
            registry => registry,
        };
        // What is left has a colon only before a tag.
        let (repository, tag) = rest.split_once(':').unwrap_or((rest, "latest"));
        let is_official = registry == DOCKER_HUB && !repository.contains('/');
        Some(Self {
            registry: registry.to_owned(),
            repository: if is_official {
                format!("library/{repository}")
            } else {
                repository.to_owned()
            },
            tag: tag.to_owned(),
        })
    }

    /// Returns the host of the registry's API, with its port if it has one.
    #[must_use]
    pub fn host(&self) -> &str {
        match &*self.registry {
            DOCKER_HUB => DOCKER_HUB_API,
            registry => registry,
        }
    }

    /// Returns the registry of ECR that has it; `None` if another one has it
    /// (<https://docs.aws.amazon.com/AmazonECR/latest/userguide/Registries.html>).
    #[must_use]
    pub fn ecr(&self) -> Option<EcrRegistry> {
        let (account, rest) = self.registry.split_once('.')?;
        let rest = ["dkr.ecr.", "dkr.ecr-fips.", "dkr-ecr.", "dkr-ecr-fips."]
            .iter()
            .find_map(|service| rest.strip_prefix(service))?;
        let (region, domain) = rest.split_at_checked(rest.find('.')?)?;
        let is_ecr = is_account_id(account) && DOMAINS.contains(&domain);
        is_ecr.then(|| EcrRegistry {
            account: account.to_owned(),
            region: region.to_owned(),
        })
    }
}

/// The host of a private ECR registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EcrHost<'a> {
    /// The AWS region, whose tokens it takes; a placeholder of the input if it has one there.
    pub region: &'a str,
    /// The name, such as `123456789012.dkr.ecr.eu-west-1.amazonaws.com`.
    pub name: &'a str,
}

impl<'a> EcrHost<'a> {
    /// Reads the host in the name of an image, as [`is_private_ecr`] does.
    #[must_use]
    pub fn of(image: &'a str) -> Option<Self> {
        let (name, _) = image.split_once('/')?;
        let (_, rest) = name.split_once(".dkr")?;
        let rest = SERVICES
            .iter()
            .find_map(|service| rest.strip_prefix(service))?;
        let region = DOMAINS
            .iter()
            .find_map(|domain| rest.strip_suffix(domain))?;
        Some(Self { region, name })
    }
}

/// Whether an image is in a private ECR registry: `<account>.dkr.ecr[-fips].<region>.amazonaws.com` or
/// `<account>.dkr-ecr[-fips].<region>.on.aws`, or the same in another partition
/// (<https://docs.aws.amazon.com/AmazonECR/latest/userguide/Registries.html>).
#[must_use]
pub fn is_private_ecr(image: &str) -> bool {
    EcrHost::of(image).is_some()
}

/// What follows `dkr` in the host names: the API of Docker, with or without FIPS, also over IPv6.
const SERVICES: [&str; 4] = [".ecr.", ".ecr-fips.", "-ecr.", "-ecr-fips."];

/// The suffixes of the host names in all partitions
/// (<https://github.com/boto/botocore/blob/develop/botocore/data/partitions.json>).
const DOMAINS: [&str; 10] = [
    ".amazonaws.com",
    ".amazonaws.com.cn",
    ".amazonaws.eu",
    ".on.aws",
    ".amazonwebservices.com.cn",
    ".amazonwebservices.eu",
    ".c2s.ic.gov",
    ".sc2s.sgov.gov",
    ".cloud.adc-e.uk",
    ".csp.hci.ic.gov",
];

/// Whether the first part of a name, which others follow, is a registry: it could be the name of a host, with a dot or a
/// port, or is `localhost` (<https://pkg.go.dev/github.com/distribution/reference>).
#[must_use]
pub fn is_registry(part: &str) -> bool {
    part.contains(['.', ':']) || part == "localhost"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(image: &str) -> [String; 3] {
        let read = TaggedImage::read(image).expect("it has no digest");
        [read.registry, read.repository, read.tag]
    }

    #[test]
    fn parts_that_are_left_out_are_those_of_docker_hub() {
        for (image, expected) in [
            ("nginx", ["docker.io", "library/nginx", "latest"]),
            ("nginx:1.29", ["docker.io", "library/nginx", "1.29"]),
            ("shop/web:2", ["docker.io", "shop/web", "2"]),
            ("docker.io/nginx:1", ["docker.io", "library/nginx", "1"]),
            (
                "index.docker.io/shop/web",
                ["docker.io", "shop/web", "latest"],
            ),
            ("localhost/web", ["localhost", "web", "latest"]),
            ("registry:5000/a/b/c:3", ["registry:5000", "a/b/c", "3"]),
            ("ghcr.io/shop/web", ["ghcr.io", "shop/web", "latest"]),
        ] {
            assert_eq!(parts(image), expected.map(str::to_owned), "{image}");
        }
        assert_eq!(TaggedImage::read("nginx:1.29@sha256:0a"), None);
        let hub = TaggedImage::read("nginx").expect("it has no digest");
        assert_eq!(hub.host(), "registry-1.docker.io");
    }

    #[test]
    fn private_ecr_registries_are_known_by_their_names() {
        for (image, expected) in [
            ("123456789012.dkr.ecr.us-east-1.amazonaws.com/web:1", true),
            (
                "123456789012.dkr.ecr-fips.us-east-1.amazonaws.com/web",
                true,
            ),
            ("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn/web", true),
            ("123456789012.dkr-ecr.us-east-1.on.aws/web", true),
            ("<account>.dkr.ecr.<region>.amazonaws.com/web", true),
            ("public.ecr.aws/nginx/nginx:1.29", false),
            ("nginx", false),
            ("ghcr.io/x.dkr.ecr.us-east-1.amazonaws.com/web", false),
        ] {
            assert_eq!(is_private_ecr(image), expected, "{image}");
        }
    }

    #[test]
    fn a_registry_of_ecr_says_whose_it_is_and_where() {
        let ecr = |image: &str| {
            TaggedImage::read(image)?
                .ecr()
                .map(|it| (it.account, it.region))
        };
        let own = Some(("123456789012".to_owned(), "eu-west-1".to_owned()));
        for host in [
            "123456789012.dkr.ecr.eu-west-1.amazonaws.com",
            "123456789012.dkr.ecr-fips.eu-west-1.amazonaws.com",
            "123456789012.dkr-ecr.eu-west-1.on.aws",
        ] {
            assert_eq!(ecr(&format!("{host}/shop/web:1")), own, "{host}");
        }
        assert_eq!(ecr("public.ecr.aws/nginx/nginx:1"), None);
        assert_eq!(ecr("123456789012.dkr.ecr.eu-west-1.example.com/web"), None);
        let twice = "123456789012.dkr.ecr.us-east-1.dkr.ecr.eu-west-1.amazonaws.com/web";
        assert_eq!(ecr(twice), None);
        assert_eq!(ecr("x.dkr.ecr.eu-west-1.amazonaws.com/web"), None);
    }
}
