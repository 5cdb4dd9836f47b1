//! The answer of `DescribeImageScanFindings`
//! (<https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeImageScanFindings.html>).

use serde::Deserialize;

use super::{FindingSeverity, Scan, ScanFinding, ScanState};

/// A page of findings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScanPage {
    /// What it says.
    pub scan: Scan,
    /// Where the next page begins; `None` if there is none.
    pub next: Option<String>,
    /// Whether ECR cannot scan this image, as it is with an index.
    pub is_unsupported: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    #[serde(default)]
    image_scan_status: Option<Status>,
    #[serde(default)]
    image_scan_findings: Option<Findings>,
    #[serde(default)]
    next_token: Option<String>,
}

#[derive(Deserialize)]
struct Status {
    #[serde(default)]
    status: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Findings {
    #[serde(default)]
    findings: Option<Vec<Basic>>,
    #[serde(default)]
    enhanced_findings: Option<Vec<Enhanced>>,
}

/// A finding of a basic scan.
#[derive(Deserialize)]
struct Basic {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    severity: Option<String>,
}

/// A finding of Amazon Inspector.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Enhanced {
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    severity: Option<String>,
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    fix_available: Option<String>,
    #[serde(default)]
    package_vulnerability_details: Option<Vulnerability>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Vulnerability {
    #[serde(default)]
    vulnerability_id: Option<String>,
}

impl ScanPage {
    /// Reads an answer.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn read(answer: &[u8]) -> Result<Self, String> {
        let answer: Answer = serde_json::from_slice(answer).map_err(|error| error.to_string())?;
        let status = answer.image_scan_status.and_then(|status| status.status);
        let status = status.ok_or("it has no status")?;
        let missing = |why: &str| ScanState::Missing(why.to_owned());
        let state = match &*status {
            "COMPLETE" | "ACTIVE" => ScanState::Done,
            "IN_PROGRESS" | "PENDING" => ScanState::Pending,
            "IMAGE_ARCHIVED" => ScanState::Archived,
            "FAILED" => missing("its scan has failed"),
            "UNSUPPORTED_IMAGE" => missing("ECR cannot scan it"),
            "SCAN_ELIGIBILITY_EXPIRED" => missing("ECR does not scan it any more"),
            "FINDINGS_UNAVAILABLE" => missing("ECR has no findings of it"),
            "LIMIT_EXCEEDED" => missing("too many scans were asked for"),
            "IMAGE_SIZE_EXCEEDED" => missing("it is too large to be scanned"),
            // What is not known is not taken to be good.
            _ => missing("its scan has a state that the operator does not know"),
        };
        // Those of an earlier scan do not count.
        let findings = answer
            .image_scan_findings
            .filter(|_| !matches!(state, ScanState::Missing(_)));
        Ok(Self {
            scan: Scan {
                state,
                findings: findings.map_or_else(Vec::new, Findings::all),
            },
            next: answer.next_token,
            is_unsupported: status == "UNSUPPORTED_IMAGE",
        })
    }
}

impl Findings {
    fn all(self) -> Vec<ScanFinding> {
        let basic = self.findings.into_iter().flatten().map(|it| ScanFinding {
            name: named(it.name),
            severity: severity(it.severity.as_deref()),
            fix: None,
            is_suppressed: false,
        });
        let enhanced = self.enhanced_findings.into_iter().flatten().map(|it| {
            let vulnerability = it.package_vulnerability_details;
            let id = vulnerability.and_then(|it| it.vulnerability_id);
            ScanFinding {
                name: named(id.or(it.title)),
                severity: severity(it.severity.as_deref()),
                fix: it.fix_available.map(|fix| fix != "NO"),
                is_suppressed: matches!(it.status.as_deref(), Some("SUPPRESSED" | "CLOSED")),
            }
        });
        basic.chain(enhanced).collect()
    }
}

fn named(name: Option<String>) -> String {
    name.unwrap_or_else(|| "a finding without a name".to_owned())
}

fn severity(word: Option<&str>) -> FindingSeverity {
    let known = word.and_then(|word| word.parse().ok());
    known.unwrap_or(FindingSeverity::Undefined)
}
