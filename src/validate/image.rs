//! Images in private registries.

/// Whether an image is in a private ECR registry: `<account>.dkr.ecr[-fips].<region>.amazonaws.com` or
/// `<account>.dkr-ecr[-fips].<region>.on.aws`, or the same in another partition
/// (<https://docs.aws.amazon.com/AmazonECR/latest/userguide/Registries.html>).
pub(crate) fn is_private_ecr(image: &str) -> bool {
    let Some((host, _)) = image.split_once('/') else {
        return false;
    };
    let Some((_, rest)) = host.split_once(".dkr") else {
        return false;
    };
    let service = [".ecr.", ".ecr-fips.", "-ecr.", "-ecr-fips."];
    service.iter().any(|service| rest.starts_with(service))
        && DOMAINS.iter().any(|domain| rest.ends_with(domain))
}

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

#[cfg(test)]
mod tests {
    use super::*;

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
}
